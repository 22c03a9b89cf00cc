/**
 * What passes between Auricle and a page. Positions are in samples at 16 000 Hz from the beginning of the audio, as whole
 * numbers, and beside them in seconds; both say the same.
 */

import type { Calibration } from './capability-types.js';
import type { AuricleError } from './errors.js';

export * from './capability-types.js';

/** Samples in a second of the audio that the engine hears; every `…Sample` counts these. */
export const SAMPLE_RATE_HZ = 16_000;

// --------------------------------------------------------------------- models

/** A model of the catalog. */
export type ModelName = 'moonshine-tiny-en';

/** A model file that is not in the catalog. */
export interface ModelSource {
  /** What it is called, for people and in metrics. */
  name: string;
  /** Where it is; relative to the page's address. */
  url: string | URL;
  /** SHA-256 of the whole file, 64 hexadecimal digits. Nothing else is taken for the model. */
  sha256: string;
  /** Length of the whole file in bytes. */
  bytes: number;
  /** For people, such as `Moonshine Tiny (English)`. */
  title?: string;
  /** An SPDX identifier. */
  license?: string;
  /** The languages it was made for, as BCP 47 tags. */
  languages?: string[];
  /** The number of its weights. */
  parameters?: number;
}

/** What a loaded model is; read from the model file. */
export interface ModelInfo {
  /** The name it was asked for by. */
  name: string;
  /** What the file calls itself. */
  title: string;
  /** SHA-256 of the file, in hexadecimal. */
  sha256: string;
  /** Length of the file in bytes. */
  bytes: number;
  /** The family, such as `moonshine`. */
  architecture: string;
  /** The languages it was made for, as BCP 47 tags. */
  languages: string[];
  /** The number of its weights. */
  parameters: number;
  /** How they are stored: `f32`, `f16` or `q8`. */
  quantization: string;
  /** An SPDX identifier, where the file has one. */
  license?: string;
  /** The longest segment it was made for, in seconds. */
  longestSegmentS: number;
}

/** The two builds of the engine. They give the same text, to the last bit; the second is faster where it runs. */
export type Flavour = 'simd128' | 'relaxed-simd';

/** What the engine is. */
export interface EngineInfo {
  /** The engine's version, as semantic versioning has it. */
  version: string;
  /** The build that runs here; `none` where a server transcribes. */
  flavour: Flavour | 'none';
  /** Bytes of WebAssembly memory once the model was loaded. */
  memoryBytes: number;
  /** Where the model is kept: for the next visit, or (`memory`) until the page is left. */
  store: StoreKind;
}

// -------------------------------------------------------------------- loading

/** Where models are kept: the origin private file system, the Cache API, or memory, which ends with the page. */
export type StoreKind = 'opfs' | 'cache' | 'memory';

/** How to load. Everything has a default. */
export interface LoadOptions {
  /** Which model; `moonshine-tiny-en` unless given. */
  model?: ModelName | ModelSource;
  /** The folder that serves the catalog's files, as `NAME-q8.gguf`; `models/` beside the page unless given. */
  modelsUrl?: string | URL;
  /** Where to keep the model; `auto`, unless given, takes the best there is: OPFS, the Cache API, memory. */
  store?: 'auto' | StoreKind;
  /** Which build of the engine; `auto`, unless given, takes `relaxed-simd` where it runs. */
  flavour?: 'auto' | Flavour;
  /** Told often while loading. */
  onProgress?: (progress: LoadProgress) => void;
  /** Told of every measurement: for Datadog, Grafana Faro or OpenTelemetry. Never holds any text. */
  onMetrics?: (record: MetricsRecord) => void;
  /** Told of what the page may want to show, such as that the model cannot be kept. */
  onNotice?: (notice: Notice) => void;
  /**
   * A server that transcribes where this device cannot. Off unless given: without it, nothing that is said leaves the
   * browser, and a device that cannot is refused with a `CapabilityError`.
   */
  fallback?: ServerFallback;
  /**
   * What `calibrate` of `auricle/capabilities` has measured here: a device that is too slow is refused, or the server of
   * `fallback` taken. Without it, `load` measures only where there is a `fallback`.
   */
  calibration?: Calibration;
  /** Cancels loading. */
  signal?: AbortSignal;
}

/**
 * A server with OpenAI's `/v1/audio/transcriptions`. Everything it transcribed carries `source: 'server'`.
 */
export interface ServerFallback {
  /** The whole address of the endpoint, or of the server's root, such as `https://example.org/`. */
  url: string | URL;
  /** Sent as a bearer token. Whoever can open the page can read it. */
  apiKey?: string;
  /** The server's name for the model; `whisper-1` unless given. */
  model?: string;
  /** Sent along. */
  headers?: Record<string, string>;
}

/** How far loading is. Phases come in this order, each at least once. */
export interface LoadProgress {
  /**
   * `download`: bytes of the model arrive, from the network, another tab or the store. `verify`: its digest is compared.
   * `compile`: the engine is compiled (it began beside the download). `load`: the model is made ready.
   */
  phase: 'download' | 'verify' | 'compile' | 'load';
  /** Bytes of the model file that are here. Falls only where a download had to begin anew. */
  loadedBytes: number;
  /** Bytes of the whole file. */
  totalBytes: number;
  /** What arrived lately, a second; 0 where nothing does. */
  bytesPerSecond: number;
  /** How much of loading is done, from 0 to 1. Never falls; 1 is the last. */
  fraction: number;
  /** Where the bytes come from; `other-tab` where another tab of this site downloads them. */
  source: 'network' | 'store' | 'other-tab';
}

// --------------------------------------------------------------- transcribing

/** What can be transcribed. A string is an address. */
export type AudioInput = Blob | string | URL | ArrayBuffer | Float32Array | AudioBuffer | PcmAudio;

/** Samples as numbers: nominally from −1 to 1, one channel. */
export interface PcmAudio {
  samples: Float32Array;
  /** From 8 000 to 192 000. */
  sampleRateHz: number;
}

/** When segments end. Lengths are in milliseconds, to a sixteenth. */
export interface Endpointing {
  /** How speech is found: `automatic` is the best that the model file provides for. */
  voiceActivity: 'automatic' | 'energy' | 'neural';
  /** So much silence ends a segment. More than 0. 512 live and 1 500 for a recording unless given. */
  minimumSilenceMs: number;
  /** Shorter speech is taken for noise. 250 unless given. */
  minimumSpeechMs: number;
  /** A longer segment is cut at its quietest point. From 1 000 to what the model takes; 20 000 unless given. */
  longestSegmentMs: number;
}

/**
 * How much work goes into text that is still being spoken: several times a second, about every two seconds, or none. It
 * changes nothing in what is final.
 */
export type Partials = 'eager' | 'economical' | 'none';

/** What `transcribe` and `listen` have in common. */
export interface SessionOptions {
  /** Whether words carry times; not, unless given. */
  wordTimes?: boolean;
  /** The language spoken, as a BCP 47 tag; the model's, unless given. */
  language?: string;
  /** When segments end; what is left out stays as the model has it. */
  endpointing?: Partial<Endpointing> | null;
  /** The budget for partials: `eager` live and `none` for a recording, unless given. */
  partials?: Partials;
  /** Told of every event, in order. An exception in it is reported, and changes nothing. */
  onEvent?: (event: TranscriptEvent) => void;
  /** Cancels: what was asked for is rejected with the signal's reason. */
  signal?: AbortSignal;
}

/** How to transcribe a recording. `endpointing: null` takes all of it for one segment. */
export interface TranscribeOptions extends SessionOptions {
  /** Told how far it is. */
  onProgress?: (progress: TranscribeProgress) => void;
}

/** How far the transcription of a recording is. */
export interface TranscribeProgress {
  /** Audio that the engine has heard, in seconds. */
  processedS: number;
  /** The whole recording, in seconds. */
  durationS: number;
  /** The first by the second, from 0 to 1; never falls. */
  fraction: number;
}

/** How to listen. */
export interface ListenOptions extends SessionOptions {
  /** Which microphone, as `MediaDeviceInfo.deviceId`; the default one unless given. */
  deviceId?: string;
  /** For `getUserMedia`, over Auricle's own choice (one channel, echo cancellation, automatic gain, no noise suppression). */
  constraints?: MediaTrackConstraints;
}

// -------------------------------------------------------------------- results

/** One token of a segment, as the decoder chose it. */
export interface Token {
  /** Its index in the model's vocabulary. */
  id: number;
  /** The natural logarithm of the probability that the model gave it; at most 0. Exactly a 32-bit float. */
  logProbability: number;
  /** The entropy of the distribution it was chosen from, in nats; at least 0. Exactly a 32-bit float. */
  entropy: number;
}

/** One word, with its punctuation. */
export interface Word {
  /** Without surrounding space. */
  text: string;
  /** When it was spoken, where `wordTimes` asked for it: first sample, and the one after its last. */
  startSample?: number;
  endSample?: number;
  /** The same in seconds. */
  startS?: number;
  endS?: number;
  /** The geometric mean of its tokens' probabilities, 0 to 1. Exactly a 32-bit float. Servers do not tell. */
  confidence?: number;
}

/**
 * What changed the text that the model would have written: decoding was stopped at the most tokens that so much speech can
 * hold; a repetition was cut; text was dropped, since there was no speech.
 */
export type Guard = 'token-rate' | 'repetition' | 'no-speech';

/** Why a segment ended: a pause, its length, or the end of the audio. */
export type SegmentEnd = 'silence' | 'longest-segment' | 'finish';

/** A stretch of speech and its text. */
export interface Segment {
  /** The same from a segment's first partial to its final; rises from 0 within a recording or a `Listening`. */
  id: number;
  /** 0 or more, and higher every time the segment is given again. */
  revision: number;
  /** The audio it covers: first sample, and the one after its last. */
  startSample: number;
  endSample: number;
  /** The same in seconds. */
  startS: number;
  endS: number;
  /** The text, without surrounding space. It can be empty. */
  text: string;
  /** The same text, word by word. */
  words: Word[];
  /** The first so many of `words` are meant to stay; in a final: all. */
  settledWords: number;
  /** Whether this revision changes a word that an earlier one had called settled. */
  settledChanged: boolean;
  /** The tokens it was decoded from; none from a server. */
  tokens: Token[];
  /** A BCP 47 tag, where the model tells or has only one. */
  language?: string;
  /** In a final: the probability that there was no speech, 0 to 1. */
  noSpeechProbability?: number;
  /** In a final: how many times shorter zlib makes the text. Above 2.4, a model has caught itself in a loop. */
  compressionRatio?: number;
  /** From a server that tells: the mean of the tokens' natural log-probabilities. Otherwise `tokens` have them. */
  averageLogProbability?: number;
  /** Where there is one, the text deserves doubt. */
  guards: Guard[];
  /** In a final: why it ended. */
  endedBy?: SegmentEnd;
  /** Who wrote it: this device, or the server of `LoadOptions.fallback`. */
  source: 'device' | 'server';
}

/** All that was said. */
export interface Transcript {
  /** The segments' texts with a space between. */
  text: string;
  /** Every final segment, in order. */
  segments: Segment[];
  /** A BCP 47 tag, where a segment tells. */
  language?: string;
  /** How long the audio was, in seconds. */
  durationS: number;
  /** Who wrote it; see `Segment.source`. */
  source: 'device' | 'server';
}

/**
 * What happens while audio is transcribed. For one segment: `speechstart`, any number of `partial`, one `final`,
 * `speechend`. `level`, `notice` and `error` come at any time. `end` is the last, unless the engine failed, which is an
 * `error`, or it was cancelled, of which there is no event.
 */
export type TranscriptEvent =
  /** Speech begins here. */
  | { type: 'speechstart'; sample: number; timeS: number }
  /** What the current segment says so far; a later event with the same id replaces it. */
  | {
      type: 'partial';
      segment: Segment;
      /** Live: how long after the last sample it covers the text is here, in milliseconds. */
      latencyMs?: number;
    }
  /** What the segment says; it does not change any more. */
  | {
      type: 'final';
      segment: Segment;
      /** Live, where a pause ended it: how long after the sample with which the pause was long enough, in milliseconds. */
      latencyMs?: number;
      /** Time spent computing since the last final, by the audio heard since then: below 1 is faster than it is spoken. */
      realTimeFactor: number;
    }
  /** Speech ended here. */
  | { type: 'speechend'; sample: number; timeS: number }
  /** All audio is transcribed; nothing follows. */
  | { type: 'end'; durationS: number }
  /** How loud it is, from 0 to 1, some twenty times a second while listening. */
  | { type: 'level'; peak: number; rms: number }
  /** Something that the page may want to show. */
  | { type: 'notice'; notice: Notice }
  /** What went wrong. What was heard before is still transcribed, unless the error is of the engine. */
  | { type: 'error'; error: AuricleError };

/** The event of this type. */
export type EventOf<Type extends TranscriptEvent['type']> = Extract<TranscriptEvent, { type: Type }>;

/** What a page may want to show; nothing failed. */
export interface Notice {
  code: NoticeCode;
  /** For people: what it is and what to do. */
  message: string;
}

export type NoticeCode =
  /** The model cannot be kept, and is downloaded again at the next visit. */
  | 'memory-store'
  /** The browser had deleted the stored model; it is downloaded again. */
  | 'evicted'
  /** The stored model was damaged; it is downloaded again. */
  | 'corrupt'
  /** The download was cut and is tried again. */
  | 'retrying'
  /** This device cannot, and the server of `LoadOptions.fallback` transcribes: what is said leaves the browser. */
  | 'server'
  /** The microphone gives silence: muted by the system, a key or another program. */
  | 'muted'
  | 'unmuted'
  /** The device is slower than the speech; audio waits. Nothing is lost. */
  | 'behind'
  | 'caught-up'
  /** The browser holds the audio back until somebody presses a key or points at the page. */
  | 'suspended'
  | 'resumed'
  /** The audio goes on with another device or another sample rate. */
  | 'device-changed'
  /** The track that was given to `listen` has ended. */
  | 'source-ended'
  /** The engine failed and was started again; what was under way is heard once more. */
  | 'recovered'
  /** The page is hidden or the battery low: fewer partials. Finals stay as they are. */
  | 'economical'
  /** As many partials as asked for again. */
  | 'eager';

// ------------------------------------------------------------ store, metrics

/** A model that is kept, whole or in part. */
export interface StoredModel {
  /** SHA-256 of the whole file, in hexadecimal. */
  sha256: string;
  /** The name it was loaded by. */
  name: string;
  /** Where it came from. */
  url: string;
  /** Of the whole file. */
  bytes: number;
  /** Less than `bytes` where a download was cut. */
  storedBytes: number;
  /** Whether it is whole and was verified. */
  complete: boolean;
}

/** What the store takes and may take. */
export interface StoreUsage {
  /** Bytes that this site has stored, where the browser tells. */
  usageBytes?: number;
  /** Bytes that it may store, where the browser tells. */
  quotaBytes?: number;
  /** Whether the browser has promised not to delete them by itself. */
  persisted: boolean;
}

/** A measurement. Plain data: it can be posted, stored and sent as it is. */
export interface MetricsRecord {
  /** `download`, `verify`, `compile` and `load`: durations. `first-partial`: from the first sample of speech to its first text. */
  name: 'download' | 'verify' | 'compile' | 'load' | 'first-partial' | 'final-latency' | 'real-time-factor';
  value: number;
  /** `1`: a ratio. */
  unit: 'ms' | '1';
  /** When it ended, in milliseconds since 1970. */
  timestampMs: number;
  /** What it was of: such as `model`, `flavour`, `source`, `bytes`. Never any text. */
  attributes: Record<string, string | number | boolean>;
}

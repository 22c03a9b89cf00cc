/**
 * What the page and the Worker say to each other. Requests carry a number, and are answered once by `done` or `failed`;
 * events of a session carry the number of the request that opened it.
 */

import type { ErrorRecord } from './errors.js';
import type {
  Endpointing,
  EngineInfo,
  Flavour,
  LoadProgress,
  MetricsRecord,
  ModelInfo,
  ModelSource,
  Notice,
  Partials,
  StoreKind,
  Transcript,
  TranscriptEvent,
  TranscribeProgress,
} from './types.js';

/** A model's source whose address is absolute: the Worker's base is not the page's. */
export type ResolvedSource = Omit<ModelSource, 'url'> & { url: string };

/** How a session transcribes, with nothing that cannot be posted. */
export interface SessionSettings {
  wordTimes: boolean;
  language?: string;
  /** What is left out stays as the model has it; `null` takes everything for one segment. */
  endpointing: Partial<Endpointing> | null;
  partials: Partials;
}

/** Audio of a recording, as the Worker takes it. */
export type RecordedAudio =
  /** A WAV file. All others the browser decodes, which it does in pages only. */
  | { kind: 'wav'; file: Blob }
  /** One array a channel. */
  | { kind: 'planes'; planes: Float32Array<ArrayBuffer>[]; sampleRateHz: number };

/** What is asked for. */
export type Request =
  | { kind: 'load'; source: ResolvedSource; store: 'auto' | StoreKind; flavour: 'auto' | Flavour }
  | { kind: 'transcribe'; audio: RecordedAudio; settings: SessionSettings; events: boolean }
  /** Opens a live session; done with its transcript when it has ended. */
  | { kind: 'listen'; settings: SessionSettings }
  | { kind: 'store.list'; store: 'auto' | StoreKind }
  | { kind: 'store.verify'; store: 'auto' | StoreKind; sha256: string }
  | { kind: 'store.delete'; store: 'auto' | StoreKind; sha256: string }
  | { kind: 'store.usage'; store: 'auto' | StoreKind }
  | { kind: 'store.persist'; store: 'auto' | StoreKind }
  | { kind: 'capabilities.report' }
  | { kind: 'capabilities.calibrate' };

/** From the page. */
export type ToWorker =
  | { kind: 'request'; id: number; request: Request }
  /** The request is no longer wanted: it fails as cancelled. */
  | { kind: 'cancel'; id: number }
  /** Audio of a live session comes through this port from now on, as `CaptureMessage`. */
  | { kind: 'audio-port'; id: number; port: MessagePort; sampleRateHz: number }
  /** No more audio comes for a live session: it transcribes what it has and is done. */
  | { kind: 'finish'; id: number }
  /** The device has changed: what is known of how late its samples come is not so any more. */
  | { kind: 'resumed'; id: number }
  /** Whether eager partials are to be economical for now, in all sessions. */
  | { kind: 'economy'; on: boolean };

/** To the page. */
export type FromWorker =
  /** A `listen` request has its session; what follows are its events. */
  | { kind: 'opened'; id: number }
  /** A live session takes no more audio: the device need not be kept. */
  | { kind: 'audio-ended'; id: number }
  | { kind: 'done'; id: number; value: unknown }
  | { kind: 'failed'; id: number; error: ErrorRecord }
  | { kind: 'load-progress'; id: number; progress: LoadProgress }
  | { kind: 'transcribe-progress'; id: number; progress: TranscribeProgress }
  | { kind: 'event'; id: number; event: PostedEvent }
  | { kind: 'metrics'; record: MetricsRecord }
  | { kind: 'notice'; notice: Notice };

/** An event as it is posted: errors as records. */
export type PostedEvent = Exclude<TranscriptEvent, { type: 'error' }> | { type: 'error'; error: ErrorRecord };

/** What `load` is answered with. */
export interface Loaded {
  model: ModelInfo;
  engine: EngineInfo;
}

/** What `transcribe` and `listen` are answered with. */
export type Transcribed = Transcript;

/** From the audio worklet to the Worker: samples of one channel; or that none follow. */
export type CaptureMessage = Float32Array | 'end';

/** From the Worker to the audio worklet: give what you have and end. */
export type CaptureCommand = 'end';

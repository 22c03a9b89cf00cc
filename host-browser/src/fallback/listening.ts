/** Listening with a server: what is said is sent from one pause to the next. There are no partials. */

import { AudioError } from '../errors.js';
import type { CaptureCommand, CaptureMessage, PostedEvent, SessionSettings } from '../protocol.js';
import { SAMPLE_RATE_HZ, type Segment, type SegmentEnd, type ServerFallback, type Transcript } from '../types.js';
import { Pauses } from './pauses.js';
import { askServer } from './request.js';
import { resampled } from './samples.js';

const MINIMUM_SILENCE_MS = 800;
const MINIMUM_SPEECH_MS = 250;
const LONGEST_SEGMENT_MS = 20_000;

/** So much before the first loud block belongs to what is said: words begin softly. */
const LEAD_S = 0.3;

/** Loudness is told about so often. */
const LEVEL_INTERVAL_S = 0.05;

/** What is said is sent at least so often, whatever the page wants: what is not sent is only kept, and may be lost. */
const LONGEST_SPEECH_S = 60;

/** So much speech that was to be sent may wait for the server. */
const MOST_WAITING_S = 300;

/** A worklet that does not answer by then is gone. */
const END_TIMEOUT_MS = 300;

/** Blocks of one rate, and the position of the first, in seconds. */
interface Recording {
  startS: number;
  lengthS: number;
  sampleRateHz: number;
  blocks: Float32Array[];
}

/** A stream of audio, and what a server says to it. */
export class ServerListening {
  /** Resolves when all has been said and answered; rejects with what failed. */
  readonly finished: Promise<Transcript>;
  #resolve!: (transcript: Transcript) => void;
  #reject!: (reason: unknown) => void;
  #port: MessagePort | undefined;
  #sampleRateHz = SAMPLE_RATE_HZ;
  #ended: (() => void) | undefined;
  #isFinishing = false;
  /** How much audio has come, in seconds. */
  #heardS = 0;
  #pauses: Pauses;
  /** What is being said; before that, the last moment of silence. */
  #recording: Recording;
  #isSpeech = false;
  #level = { peak: 0, squares: 0, samples: 0 };
  /** How much of what was said is sent or waits for that, in seconds. */
  #waitingS = 0;
  /** Everything in order: one request after another, and events between them. */
  #queue: Promise<void> = Promise.resolve();
  #segments: Segment[] = [];

  constructor(
    private readonly server: ServerFallback,
    private readonly settings: SessionSettings,
    private readonly signal: AbortSignal,
    private readonly onEvent: (event: PostedEvent) => void,
  ) {
    const { endpointing } = settings;
    const longestSegmentS = endpointing === null ? Infinity : (endpointing.longestSegmentMs ?? LONGEST_SEGMENT_MS) / 1_000;
    this.#pauses = new Pauses({
      minimumSilenceS: endpointing === null ? Infinity : (endpointing.minimumSilenceMs ?? MINIMUM_SILENCE_MS) / 1_000,
      minimumSpeechS: (endpointing?.minimumSpeechMs ?? MINIMUM_SPEECH_MS) / 1_000,
      longestS: Math.min(longestSegmentS, LONGEST_SPEECH_S),
    });
    this.#recording = this.#empty();
    this.finished = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    signal.addEventListener('abort', () => this.#reject(signal.reason), { once: true });
  }

  /** Audio comes from here from now on. */
  connect(port: MessagePort, sampleRateHz: number): void {
    this.#port?.close();
    if (this.#isSpeech && sampleRateHz !== this.#sampleRateHz) this.#endSpeech('silence');
    this.#port = port;
    this.#sampleRateHz = sampleRateHz;
    if (!this.#isSpeech) this.#recording = this.#empty();
    port.onmessage = ({ data }: MessageEvent<CaptureMessage>) => {
      if (data === 'end') this.#ended?.();
      else this.#take(data);
    };
  }

  /** Takes what is on its way, and ends the stream. */
  async finish(): Promise<void> {
    if (this.#isFinishing) return;
    this.#isFinishing = true;
    if (this.#port) {
      const ended = new Promise<void>((resolve) => {
        this.#ended = resolve;
      });
      const timer = setTimeout(() => this.#ended?.(), END_TIMEOUT_MS);
      this.#port.postMessage('end' satisfies CaptureCommand);
      await ended;
      clearTimeout(timer);
    }
    this.close();
    if (this.#isSpeech) this.#endSpeech('finish');
    this.#enqueue(() => {
      const durationS = this.#heardS;
      this.onEvent({ type: 'end', durationS });
      const segments = this.#segments;
      const text = segments.flatMap((segment) => (segment.text === '' ? [] : [segment.text])).join(' ');
      const language = segments.find((segment) => segment.language !== undefined)?.language;
      this.#resolve({ text, segments, ...(language !== undefined && { language }), durationS, source: 'server' });
    });
  }

  /** Takes nothing more. */
  close(): void {
    this.#port?.close();
    this.#port = undefined;
  }

  #take(block: Float32Array): void {
    let [squares, peak] = [0, 0];
    for (const sample of block) {
      squares += sample * sample;
      peak = Math.max(peak, Math.abs(sample));
    }
    const lengthS = block.length / this.#sampleRateHz;
    this.#tellLevel(peak, squares, block.length);
    this.#recording.blocks.push(block);
    this.#recording.lengthS += lengthS;
    this.#heardS += lengthS;
    switch (this.#pauses.take(Math.sqrt(squares / Math.max(block.length, 1)), lengthS)) {
      case 'begun': {
        this.#isSpeech = true;
        const { startS } = this.#recording;
        this.#enqueue(() => this.onEvent({ type: 'speechstart', sample: sampleAt(startS), timeS: startS }));
        break;
      }
      case 'paused':
        this.#endSpeech('silence');
        break;
      case 'cut':
        this.#endSpeech('longest-segment');
        break;
      case 'dropped':
        this.#endSpeech(undefined);
        break;
      case undefined:
        if (!this.#isSpeech) this.#keepLead();
    }
    if (this.#waitingS > MOST_WAITING_S) {
      const lostS = this.#waitingS;
      const message = `The server is slower than the speech, and ${Math.round(lostS)} s wait for it: try again later.`;
      this.#reject(new AudioError('too-far-behind', message, { lostS }));
      this.close();
    }
  }

  /** Sends what was said; `undefined` where it was only noise. */
  #endSpeech(endedBy: SegmentEnd | undefined): void {
    const recording = this.#recording;
    this.#recording = this.#empty();
    this.#isSpeech = false;
    this.#waitingS += recording.lengthS;
    this.#enqueue(async () => {
      const endS = recording.startS + recording.lengthS;
      if (endedBy !== undefined) await this.#send(recording, endedBy);
      this.#waitingS -= recording.lengthS;
      this.onEvent({ type: 'speechend', sample: sampleAt(endS), timeS: endS });
    });
  }

  async #send({ startS, lengthS, sampleRateHz, blocks }: Recording, endedBy: SegmentEnd): Promise<void> {
    const startMs = performance.now();
    const samples = await resampled([joined(blocks)], sampleRateHz);
    const { language, wordTimes } = this.settings;
    const transcript = await askServer(this.server, samples, { language, wordTimes, signal: this.signal });
    const segment = oneSegment(transcript, this.#segments.length, startS, lengthS, endedBy);
    const latencyMs = performance.now() - startMs;
    this.#segments.push(segment);
    this.onEvent({ type: 'final', segment, latencyMs, realTimeFactor: latencyMs / 1_000 / lengthS });
  }

  #enqueue(work: () => void | Promise<void>): void {
    this.#queue = this.#queue.then(async () => {
      if (!this.signal.aborted) await work();
    });
    this.#queue.catch((error) => this.#reject(error));
  }

  #tellLevel(peak: number, squares: number, samples: number): void {
    const level = this.#level;
    level.peak = Math.max(level.peak, peak);
    level.squares += squares;
    level.samples += samples;
    if (level.samples >= LEVEL_INTERVAL_S * this.#sampleRateHz) {
      const rms = Math.sqrt(level.squares / level.samples);
      this.onEvent({ type: 'level', peak: Math.min(1, level.peak), rms: Math.min(1, rms) });
      this.#level = { peak: 0, squares: 0, samples: 0 };
    }
  }

  #keepLead(): void {
    const { blocks, sampleRateHz } = this.#recording;
    for (let [first] = blocks; first && this.#recording.lengthS > LEAD_S; [first] = blocks) {
      blocks.shift();
      const lengthS = first.length / sampleRateHz;
      this.#recording.startS += lengthS;
      this.#recording.lengthS -= lengthS;
    }
  }

  #empty(): Recording {
    return { startS: this.#heardS, lengthS: 0, sampleRateHz: this.#sampleRateHz, blocks: [] };
  }
}

/** All that a server said to one utterance as one segment, at its place in the stream. */
function oneSegment(
  { segments, text, language }: Transcript,
  id: number,
  startS: number,
  lengthS: number,
  endedBy: SegmentEnd,
): Segment {
  const [first] = segments;
  const isOne = segments.length === 1;
  const startSample = sampleAt(startS);
  const words = segments.flatMap((segment) => segment.words).map((word) => {
    if (word.startS === undefined || word.endS === undefined) return word;
    const moved = { startS: word.startS + startS, endS: word.endS + startS };
    return { ...word, ...moved, startSample: sampleAt(moved.startS), endSample: sampleAt(moved.endS) };
  });
  return {
    ...(isOne ? first : undefined),
    id,
    revision: 0,
    startSample,
    endSample: sampleAt(startS + lengthS),
    startS,
    endS: startS + lengthS,
    text,
    words,
    settledWords: words.length,
    settledChanged: false,
    tokens: [],
    ...(language !== undefined && { language }),
    guards: [],
    endedBy,
    source: 'server',
  };
}

function joined(blocks: Float32Array[]): Float32Array {
  const samples = new Float32Array(blocks.reduce((sum, block) => sum + block.length, 0));
  let offset = 0;
  for (const block of blocks) {
    samples.set(block, offset);
    offset += block.length;
  }
  return samples;
}

function sampleAt(seconds: number): number {
  return Math.round(seconds * SAMPLE_RATE_HZ);
}

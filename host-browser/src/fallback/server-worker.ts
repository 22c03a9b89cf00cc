/**
 * Stands in for the Worker where the device cannot: takes the same requests, and has a server transcribe. It runs in the
 * page, since all it does is waiting.
 */

import { EngineError, recordOf } from '../errors.js';
import type { FromWorker, Loaded, Request, ToWorker } from '../protocol.js';
import { SAMPLE_RATE_HZ, type Segment, type ServerFallback, type Transcript } from '../types.js';
import { ServerListening } from './listening.js';
import { askServer, DEFAULT_SERVER_MODEL, endpoint } from './request.js';
import { monoSamples } from './samples.js';

type RequestOf<Kind extends Request['kind']> = Extract<Request, { kind: Kind }>;

/** The part of a Worker that a `Connection` needs. */
export class ServerWorker {
  onmessage: ((event: MessageEvent<FromWorker>) => void) | null = null;
  onerror: ((event: ErrorEvent) => void) | null = null;
  readonly #server: ServerFallback;
  readonly #reason: string;
  readonly #requests = new Map<number, AbortController>();
  readonly #listenings = new Map<number, ServerListening>();

  /** `reason` is why the device cannot, for people. */
  constructor(server: ServerFallback, reason: string) {
    this.#server = server;
    this.#reason = reason;
  }

  postMessage(message: ToWorker): void {
    switch (message.kind) {
      case 'request':
        void this.#answer(message.id, message.request);
        break;
      case 'cancel':
        this.#requests.get(message.id)?.abort();
        break;
      case 'audio-port':
        this.#listenings.get(message.id)?.connect(message.port, message.sampleRateHz);
        break;
      case 'finish':
        void this.#listenings.get(message.id)?.finish();
        break;
      default:
        break;
    }
  }

  terminate(): void {
    this.onmessage = null;
    for (const request of this.#requests.values()) request.abort();
  }

  #post(message: FromWorker): void {
    this.onmessage?.(new MessageEvent('message', { data: message }));
  }

  async #answer(id: number, request: Request): Promise<void> {
    const controller = new AbortController();
    this.#requests.set(id, controller);
    try {
      // A Worker's answer never comes before the question has returned.
      await Promise.resolve();
      const value = await this.#perform(id, request, controller.signal);
      controller.signal.throwIfAborted();
      this.#post({ kind: 'done', id, value });
    } catch (error) {
      this.#post({ kind: 'failed', id, error: recordOf(error) });
    } finally {
      this.#requests.delete(id);
    }
  }

  async #perform(id: number, request: Request, signal: AbortSignal): Promise<unknown> {
    switch (request.kind) {
      case 'load':
        return this.#load();
      case 'transcribe':
        return this.#transcribe(id, request, signal);
      case 'listen':
        return this.#listen(id, request, signal);
      default:
        throw new EngineError('internal', `A server cannot ${request.kind}.`);
    }
  }

  #load(): Loaded {
    const { host } = endpoint(this.#server.url);
    const name = this.#server.model ?? DEFAULT_SERVER_MODEL;
    const message = `The server at ${host} transcribes, and gets what is said: ${this.#reason}`;
    this.#post({ kind: 'notice', notice: { code: 'server', message } });
    const model = { name, title: `${name} at ${host}`, sha256: '', bytes: 0, architecture: 'server' };
    return {
      model: { ...model, languages: [], parameters: 0, quantization: 'unknown', longestSegmentS: Infinity },
      engine: { version: 'unknown', flavour: 'none', memoryBytes: 0, store: 'memory' },
    };
  }

  async #transcribe(id: number, request: RequestOf<'transcribe'>, signal: AbortSignal): Promise<Transcript> {
    const { audio, settings, events } = request;
    const samples = await monoSamples(audio);
    const durationS = samples.length / SAMPLE_RATE_HZ;
    const progress = (fraction: number): void => {
      const processedS = durationS * fraction;
      this.#post({ kind: 'transcribe-progress', id, progress: { processedS, durationS, fraction } });
    };
    progress(0);
    const startMs = performance.now();
    const { language, wordTimes } = settings;
    const transcript = await askServer(this.#server, samples, { language, wordTimes, signal });
    const realTimeFactor = (performance.now() - startMs) / 1_000 / Math.max(durationS, 1 / SAMPLE_RATE_HZ);
    progress(1);
    if (events) {
      for (const segment of transcript.segments) this.#postSegment(id, segment, realTimeFactor);
      this.#post({ kind: 'event', id, event: { type: 'end', durationS } });
    }
    return transcript;
  }

  async #listen(id: number, { settings }: RequestOf<'listen'>, signal: AbortSignal): Promise<Transcript> {
    const listening = new ServerListening(this.#server, settings, signal, (event) => {
      this.#post({ kind: 'event', id, event });
    });
    this.#listenings.set(id, listening);
    this.#post({ kind: 'opened', id });
    try {
      return await listening.finished;
    } finally {
      this.#listenings.delete(id);
      listening.close();
    }
  }

  #postSegment(id: number, segment: Segment, realTimeFactor: number): void {
    const { startSample, startS, endSample, endS } = segment;
    this.#post({ kind: 'event', id, event: { type: 'speechstart', sample: startSample, timeS: startS } });
    this.#post({ kind: 'event', id, event: { type: 'final', segment, realTimeFactor } });
    this.#post({ kind: 'event', id, event: { type: 'speechend', sample: endSample, timeS: endS } });
  }
}

/** `Auricle`: a model that transcribes. */

import { unlessAborted } from './abort.js';
import { decoded, recordedAudio } from './audio/decode.js';
import { watchEconomy } from './audio/economy.js';
import { catalogSource, DEFAULT_MODEL } from './catalog.js';
import { callPage, Connection, type AnyWorker } from './connection.js';
import { AudioError, CapabilityError, EngineError, errorOf } from './errors.js';
import { refusalHere } from './fallback.js';
import { ServerWorker } from './fallback/server-worker.js';
import { listen, type Listening } from './listening.js';
import type { Loaded, RecordedAudio, ResolvedSource } from './protocol.js';
import { check, sessionSettings } from './settings.js';
import type {
  AudioInput,
  EngineInfo,
  ListenOptions,
  LoadOptions,
  MetricsRecord,
  ModelInfo,
  ModelSource,
  Notice,
  Transcript,
  TranscribeOptions,
  TranscriptEvent,
} from './types.js';
import { addMeasure } from './user-timing.js';

const STORES: readonly string[] = ['auto', 'opfs', 'cache', 'memory'] satisfies LoadOptions['store'][];
const FLAVOURS: readonly string[] = ['auto', 'simd128', 'relaxed-simd'] satisfies LoadOptions['flavour'][];

/** A loaded model, in a Worker of its own. */
export class Auricle {
  readonly model: ModelInfo;
  readonly engine: EngineInfo;
  /** Who transcribes: this device, or the server of `LoadOptions.fallback`, which then gets what is said. */
  readonly source: 'device' | 'server';
  #connection: Connection;
  #closed: AbortController;

  private constructor({ model, engine }: Loaded, connection: Connection, closed: AbortController) {
    this.model = model;
    this.engine = engine;
    this.source = engine.flavour === 'none' ? 'server' : 'device';
    this.#connection = connection;
    this.#closed = closed;
    watchEconomy((on) => connection.tell({ kind: 'economy', on }), closed.signal);
  }

  /**
   * Loads the engine and a model: from the store, or from the network into it.
   *
   * Fails with `CapabilityError`, `DownloadError`, `StoreError`, `ModelError`, `EngineError`, and with the signal's reason.
   */
  static async load(options: LoadOptions = {}): Promise<Auricle> {
    const { fallback, signal } = options;
    // Without the signal's own method, which browsers that are refused do not have.
    if (signal?.aborted) {
      throw signal.reason;
    }
    let refused = await refusalHere(options);
    if (refused === undefined) {
      try {
        return await Auricle.#load(options);
      } catch (error) {
        if (!(error instanceof CapabilityError)) {
          throw error;
        }
        refused = error;
      }
    }
    if (fallback === undefined) {
      throw refused;
    }
    return await Auricle.#load(options, new ServerWorker(fallback, refused.message));
  }

  static async #load(options: LoadOptions, worker?: AnyWorker): Promise<Auricle> {
    const { store = 'auto', flavour = 'auto', signal } = options;
    check(STORES.includes(store), 'store', `is one of ${STORES.join(', ')}`);
    check(FLAVOURS.includes(flavour), 'flavour', `is one of ${FLAVOURS.join(', ')}`);
    const source = resolved(options);
    const listener = {
      onMetrics: (record: MetricsRecord) => {
        measure(record);
        callPage(options.onMetrics, record);
      },
      onNotice: (notice: Notice) => callPage(options.onNotice, notice),
    };
    const connection = new Connection(listener, worker);
    try {
      const { answer } = connection.request<Loaded>(
        { kind: 'load', source, store, flavour },
        { signal, onLoadProgress: (progress) => callPage(options.onProgress, progress) },
      );
      return new Auricle(await answer, connection, new AbortController());
    } catch (error) {
      connection.close(error);
      throw error;
    }
  }

  /**
   * Transcribes a recording: whatever Auricle (WAV) or the browser can decode, or samples.
   *
   * Fails with `AudioError`, `DownloadError` for an address, `EngineError`, and with the signal's reason.
   */
  async transcribe(audio: AudioInput, options: TranscribeOptions = {}): Promise<Transcript> {
    this.#check();
    const { signal } = options;
    signal?.throwIfAborted();
    const settings = sessionSettings(options, 'none');
    const ask = (recorded: RecordedAudio): Promise<Transcript> => {
      const events = options.onEvent !== undefined;
      const request = { kind: 'transcribe', audio: recorded, settings, events } as const;
      const { answer } = this.#connection.request<Transcript>(request, {
        signal,
        // The page's main thread would copy what is not transferred.
        transfer: recorded.kind === 'planes' ? recorded.planes.map(({ buffer }) => buffer) : [],
        onTranscribeProgress: (progress) => callPage(options.onProgress, progress),
        onEvent: (event) => {
          const typed = event.type === 'error' ? { ...event, error: errorOf(event.error) } : event;
          callPage(options.onEvent, typed as TranscriptEvent);
        },
      });
      return answer;
    };
    const closed = this.#closed.signal;
    const recorded = await unlessAborted(recordedAudio(audio, signal), closed);
    try {
      return await ask(recorded);
    } catch (error) {
      // A WAV of a coding that Auricle does not have: the browser may.
      if (recorded.kind === 'wav' && error instanceof AudioError && error.code === 'undecodable') {
        return await ask(
          await unlessAborted(decoded(recorded.file, signal), closed).catch(() => {
            signal?.throwIfAborted();
            closed.throwIfAborted();
            throw error;
          }),
        );
      }
      throw error;
    }
  }

  /**
   * Listens: to the microphone, or to a track or stream that is given, which the page ends itself.
   *
   * Fails with `MicrophoneError`, `EngineError`, and with the signal's reason.
   */
  async listen(
    source?: MediaStreamTrack | MediaStream | ListenOptions,
    options: ListenOptions = {},
  ): Promise<Listening> {
    this.#check();
    const isGiven = source instanceof MediaStreamTrack || source instanceof MediaStream;
    return await listen(this.#connection, isGiven ? source : undefined, isGiven ? options : { ...options, ...source });
  }

  /** Ends all that is under way and gives everything back. What is under way is rejected with an `AbortError`. */
  close(): void {
    const reason = new DOMException('Auricle was closed.', 'AbortError');
    this.#closed.abort(reason);
    this.#connection.close(reason);
  }

  #check(): void {
    const closed = this.#connection.closed;
    if (this.#closed.signal.aborted) {
      throw new EngineError('invalid-state', 'Auricle was closed: load it again.');
    }
    if (closed !== undefined) {
      throw closed.reason;
    }
  }
}

function resolved({ model = DEFAULT_MODEL, modelsUrl = 'models/' }: LoadOptions): ResolvedSource {
  const base = document.baseURI;
  const source = typeof model === 'string' ? catalogSource(model, folder(modelsUrl, base)) : checked(model);
  return { ...source, url: new URL(source.url, base).href, sha256: source.sha256.toLowerCase() };
}

/** A folder's address, whether or not it was given with a slash at its end. */
function folder(url: string | URL, base: string): URL {
  const address = new URL(url, base);
  if (!address.pathname.endsWith('/')) {
    address.pathname += '/';
  }
  return address;
}

function checked(source: ModelSource): ModelSource {
  check(/^[0-9a-f]{64}$/i.test(source.sha256), 'model.sha256', 'is the SHA-256 of the file, in 64 hexadecimal digits');
  check(Number.isSafeInteger(source.bytes) && source.bytes > 0, 'model.bytes', 'is the length of the file in bytes');
  return source;
}

/** Puts a measurement on the page's own time line, where monitoring looks. */
function measure({ name, value, unit, timestampMs, attributes }: MetricsRecord): void {
  const end = Math.max(0, timestampMs - performance.timeOrigin);
  const start = unit === 'ms' ? Math.max(0, end - value) : end;
  addMeasure(`auricle:${name}`, { start, end, detail: { value, unit, ...attributes } });
}


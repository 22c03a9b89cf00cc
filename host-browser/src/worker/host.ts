/** A model in an instance of the engine: how it comes there, and how it comes back when the instance is lost. */

import { AuricleError, DownloadError, EngineError } from '../errors.js';
import type { Loaded, ResolvedSource, SessionSettings } from '../protocol.js';
import type { Flavour, LoadProgress, MetricsRecord, ModelInfo, Notice, StoreKind } from '../types.js';
import type * as Contract from '../engine/interfaces/auricle-speech-types.js';
import { call, contractOptions, secondsOf, Trap, trappedError } from './contract.js';
import { chooseFlavour, Engine, type EngineLoader, type EngineModel, type EngineSession, type Instance } from './engine.js';
import { LoadMeter } from './load-meter.js';
import { openStore, type ModelStore, type Obtained } from './store.js';

/** The model file goes into the engine in pieces of this many bytes; the contract allows 16 MiB. */
const CHUNK_BYTES = 1 << 20;

const NS_PER_MS = 1e6;

/** Told while loading. */
export interface LoadListener {
  onProgress(progress: LoadProgress): void;
  onMetrics(name: MetricsRecord['name'], value: number, unit: 'ms' | '1', attributes: MetricsRecord['attributes']): void;
  onNotice(notice: Notice): void;
}

interface Ready {
  instance: Instance;
  model: EngineModel;
}

/** A signal that is never given. */
const NEVER = new AbortController().signal;

/** The model of this Worker. */
export class Host {
  readonly source: ResolvedSource;
  readonly info: ModelInfo;
  readonly engine: Engine;
  readonly store: ModelStore;
  readonly version: string;
  readonly memoryBytes: number;
  #ready: Ready | undefined;
  #defaults: Contract.SessionOptions;
  /** Sessions of the present instance, to be let go of with it. */
  #sessions = new Set<EngineSession>();

  private constructor(source: ResolvedSource, engine: Engine, store: ModelStore, ready: Ready) {
    this.source = source;
    this.engine = engine;
    this.store = store;
    this.#ready = ready;
    const about = call(() => ready.instance.about());
    this.version = about.version;
    this.memoryBytes = Number(call(() => ready.model.loadMetrics()).memoryBytes);
    this.#defaults = call(() => ready.model.defaultOptions());
    this.info = modelInfo(source, call(() => ready.model.info()));
  }

  /** Loads: the engine is compiled while the model arrives, and takes it as it does. */
  static async load(
    source: ResolvedSource,
    storeKind: 'auto' | StoreKind,
    wanted: 'auto' | Flavour,
    listener: LoadListener,
    signal: AbortSignal,
  ): Promise<Host> {
    const flavour = chooseFlavour(wanted);
    const began = performance.now();
    const meter = new LoadMeter(source.bytes, listener.onProgress);
    let compileMs = 0;
    const compiling = Engine.compile(flavour, signal).then(async (engine) => {
      const instance = await engine.instantiate();
      compileMs = performance.now() - began;
      return { engine, instance };
    });
    // Where the store fails first, nobody waits for this.
    compiling.catch(() => {});
    const store = await openStore(storeKind);
    const filler = new Filler(source, compiling.then(({ instance }) => instance), meter);
    const { obtained, downloadMs, verifyMs } = await filler.obtain(store, signal, { onNotice: listener.onNotice });
    meter.begin('compile');
    const { engine, instance } = await compiling;
    meter.begin('load');
    const ready = await finishLoading(instance, filler);
    signal.throwIfAborted();
    const host = new Host(source, engine, store, ready);
    const attributes = { model: source.name, flavour };
    const from = { ...attributes, source: obtained.source, bytes: source.bytes, fetchedBytes: obtained.fetchedBytes };
    listener.onMetrics('download', downloadMs, 'ms', from);
    listener.onMetrics('verify', verifyMs, 'ms', attributes);
    listener.onMetrics('compile', compileMs, 'ms', attributes);
    const loadMs = Number(call(() => ready.model.loadMetrics()).elapsedNs) / NS_PER_MS;
    listener.onMetrics('load', loadMs, 'ms', { ...attributes, memoryBytes: host.memoryBytes });
    meter.end();
    return host;
  }

  /** What `load` is answered with. */
  loaded(): Loaded {
    const engine = {
      version: this.version,
      flavour: this.engine.flavour,
      memoryBytes: this.memoryBytes,
      store: this.store.kind,
    };
    return { model: this.info, engine };
  }

  /** Options of the contract for a session. */
  options(settings: SessionSettings, kind: 'live' | 'recording'): Contract.SessionOptions {
    return contractOptions(this.#defaults, settings, kind);
  }

  /** Opens a session. Throws `Trap` where there is no instance. */
  open(options: Contract.SessionOptions): EngineSession {
    const { instance, model } = this.#instance();
    const session = call(() => instance.Session.open(model, options));
    this.#sessions.add(session);
    return session;
  }

  /** Whether this is a session of the present instance. */
  has(session: EngineSession): boolean {
    return this.#sessions.has(session);
  }

  /** Lets go of a session. */
  release(session: EngineSession): void {
    if (this.#sessions.delete(session)) {
      call(() => dispose(session));
    }
  }

  /** Whether there is an instance to work with. */
  get isReady(): boolean {
    return this.#ready !== undefined;
  }

  /** Drops the instance and all that belongs to it: nothing of it may be used again. */
  lose(): void {
    for (const resource of [...this.#sessions, this.#ready?.model]) {
      try {
        // Takes it from the finalizers, which would call the lost instance; what it does there no longer matters.
        dispose(resource);
      } catch {
        // As expected of a lost instance.
      }
    }
    this.#sessions.clear();
    this.#ready = undefined;
  }

  /** Makes a new instance and loads the model again, from the store or wherever it is. */
  async rebuild(): Promise<void> {
    const meter = new LoadMeter(this.source.bytes, () => {});
    const instance = await this.engine.instantiate();
    const filler = new Filler(this.source, Promise.resolve(instance), meter);
    await filler.obtain(this.store, NEVER, {});
    this.#ready = await finishLoading(instance, filler);
  }

  #instance(): Ready {
    if (this.#ready === undefined) {
      throw new Trap('the instance was lost');
    }
    return this.#ready;
  }
}

/** Gives the model file to the engine as it arrives. What comes before the engine is there waits. */
class Filler {
  #loader: EngineLoader | undefined;
  #instance: Instance | undefined;
  #totalBytes = 0;
  #waiting: Uint8Array[] = [];
  /** What the engine said to a chunk, or why there is none. */
  #failure: unknown;
  /** Without an engine, nothing needs to be downloaded. */
  #noEngine = new AbortController();
  #lastByteAt = 0;

  constructor(
    private readonly source: ResolvedSource,
    instance: Promise<Instance>,
    private readonly meter: LoadMeter,
  ) {
    instance.then(
      (instance) => {
        this.#instance = instance;
        // What it fails with is told to the next chunk, or at the end.
        this.#attempt(() => this.#flush());
      },
      (error) => {
        this.#failure = error;
        this.#noEngine.abort();
      },
    );
  }

  async obtain(
    store: ModelStore,
    signal: AbortSignal,
    options: { onNotice?: (notice: Notice) => void },
  ): Promise<{ obtained: Obtained; downloadMs: number; verifyMs: number }> {
    const began = performance.now();
    const sink = {
      begin: (totalBytes: number) => this.#begin(totalBytes),
      write: (chunk: Uint8Array) => {
        this.#lastByteAt = performance.now();
        this.#waiting.push(chunk);
        this.#attempt(() => this.#flush());
        if (this.#failure !== undefined) {
          // The store knows whether the file is to blame, and gives another one if so.
          throw this.#failure;
        }
      },
    };
    // `AbortSignal.any` would do it, in browsers of 2024 and later.
    const either = new AbortController();
    const stop = (): void => either.abort();
    for (const each of [signal, this.#noEngine.signal]) {
      each.addEventListener('abort', stop);
      if (each.aborted) {
        stop();
      }
    }
    try {
      const obtained = await store.obtain(this.source, sink, {
        ...options,
        signal: either.signal,
        onProgress: ({ loadedBytes, source }) => this.meter.loaded(loadedBytes, source),
      });
      const done = performance.now();
      this.meter.begin('verify');
      return { obtained, downloadMs: this.#lastByteAt - began, verifyMs: done - this.#lastByteAt };
    } catch (error) {
      signal.throwIfAborted();
      throw this.#noEngine.signal.aborted ? this.#failure : error;
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }

  /** The loader that has taken the whole file, of the instance that it was promised. */
  finish(instance: Instance): EngineLoader {
    // The file may have been there first.
    this.#instance = instance;
    this.#attempt(() => this.#flush());
    if (this.#failure !== undefined) {
      throw this.#failure;
    }
    if (this.#loader === undefined) {
      throw new DownloadError('wrong-size', 'The model file is empty. Load it again.');
    }
    return this.#loader;
  }

  #begin(totalBytes: number): void {
    this.#totalBytes = totalBytes;
    this.#waiting = [];
    if (!this.#noEngine.signal.aborted) {
      this.#failure = undefined;
    }
    const loader = this.#loader;
    this.#loader = undefined;
    if (loader !== undefined) {
      this.#attempt(() => call(() => dispose(loader)));
    }
  }

  #flush(): void {
    const instance = this.#instance;
    if (instance === undefined || this.#waiting.length === 0) {
      return;
    }
    this.#loader ??= call(() => new instance.ModelLoader(BigInt(this.#totalBytes)));
    const loader = this.#loader;
    for (const chunk of this.#waiting.splice(0)) {
      for (let offset = 0; offset < chunk.length; offset += CHUNK_BYTES) {
        call(() => loader.write(chunk.subarray(offset, offset + CHUNK_BYTES)));
      }
    }
  }

  #attempt(work: () => void): void {
    if (this.#failure === undefined) {
      try {
        work();
      } catch (error) {
        this.#failure = error instanceof Trap ? trappedError(error) : error;
      }
    }
  }
}

async function finishLoading(instance: Instance, filler: Filler): Promise<Ready> {
  try {
    const loader = filler.finish(instance);
    const model = call(() => instance.loadModel(loader));
    return { instance, model };
  } catch (error) {
    throw error instanceof Trap ? trappedError(error) : error;
  }
}

/** Drops a resource of the component: jco's classes have the method, their types do not. */
function dispose(resource: unknown): void {
  const symbol: symbol = (Symbol as { dispose?: symbol }).dispose ?? Symbol.for('dispose');
  (resource as Record<symbol, (() => void) | undefined> | undefined)?.[symbol]?.();
}

function modelInfo(source: ResolvedSource, info: Contract.ModelInfo): ModelInfo {
  return {
    name: source.name,
    title: source.title ?? info.name,
    sha256: source.sha256,
    bytes: source.bytes,
    architecture: info.architecture,
    languages: info.languages,
    parameters: Number(info.parameters),
    quantization: info.quantization,
    ...(info.license === undefined ? {} : { license: info.license }),
    longestSegmentS: secondsOf(info.longestSegmentSamples),
  };
}

/** What a call to a Worker without a model is answered with. */
export function notLoaded(): AuricleError {
  return new EngineError('invalid-state', 'There is no model: load one first.');
}

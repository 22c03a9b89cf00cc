/** The page's end of the Worker. */

import { CapabilityError, EngineError, errorOf } from './errors.js';
import type { FromWorker, PostedEvent, Request, ToWorker } from './protocol.js';
import type { LoadProgress, MetricsRecord, Notice, TranscribeProgress } from './types.js';

/** Told what the Worker says without being asked. */
export interface ConnectionListener {
  onMetrics(record: MetricsRecord): void;
  onNotice(notice: Notice): void;
}

/** What goes with a request. */
export interface RequestOptions {
  /** Cancels: the request is rejected with the signal's reason. */
  signal?: AbortSignal | undefined;
  transfer?: Transferable[];
  onLoadProgress?: ((progress: LoadProgress) => void) | undefined;
  onTranscribeProgress?: ((progress: TranscribeProgress) => void) | undefined;
  onEvent?: ((event: PostedEvent) => void) | undefined;
  /** A live session is open. */
  onOpened?: () => void;
  /** A live session takes no more audio. */
  onAudioEnded?: () => void;
}

interface Pending {
  resolve(value: unknown): void;
  reject(reason: unknown): void;
  options: RequestOptions;
}

/** A Worker, or what stands in for it. */
export type AnyWorker = Pick<Worker, 'postMessage' | 'terminate' | 'onmessage' | 'onerror'>;

function startedWorker(): Worker {
  try {
    return new Worker(new URL('./worker/worker.js', import.meta.url), { type: 'module', name: 'auricle' });
  } catch (error) {
    throw new CapabilityError(
      'no-worker',
      `Auricle's Worker cannot be started here (${String(error)}): see that its files come from the page's own origin.`,
    );
  }
}

/** A Worker, and what it was asked. */
export class Connection {
  #worker: AnyWorker;
  #pending = new Map<number, Pending>();
  #nextId = 0;
  #closed: { reason: unknown } | undefined;

  /** Speaks with a Worker of its own, unless another is given. Throws where there are none. */
  constructor(
    private readonly listener: ConnectionListener,
    worker?: AnyWorker,
  ) {
    this.#worker = worker ?? startedWorker();
    this.#worker.onmessage = ({ data }: MessageEvent<FromWorker>) => this.#take(data);
    this.#worker.onerror = (event) => {
      event.preventDefault();
      const text = event.message ? ` (${event.message})` : '';
      this.close(new EngineError('unreachable', `Auricle's Worker did not start or has failed${text}: see that all its files are served.`));
    };
  }

  /** Why it no longer works, where it does not. */
  get closed(): { reason: unknown } | undefined {
    return this.#closed;
  }

  /** Asks, and gives the request's number with its answer. */
  request<Value>(request: Request, options: RequestOptions = {}): { id: number; answer: Promise<Value> } {
    const id = this.#nextId++;
    const { signal } = options;
    const answer = new Promise<unknown>((resolve, reject) => {
      if (this.#closed !== undefined) {
        throw this.#closed.reason;
      }
      signal?.throwIfAborted();
      this.#pending.set(id, { resolve, reject, options });
      const cancel = (): void => this.cancel(id, signal?.reason);
      signal?.addEventListener('abort', cancel);
      const settle = <Arguments extends unknown[]>(how: (...of: Arguments) => void) => (...of: Arguments): void => {
        signal?.removeEventListener('abort', cancel);
        this.#pending.delete(id);
        how(...of);
      };
      this.#pending.set(id, { resolve: settle(resolve), reject: settle(reject), options });
      this.#post({ kind: 'request', id, request }, options.transfer);
    });
    return { id, answer: answer as Promise<Value> };
  }

  /** The request is no longer wanted: it is rejected now, and stopped in the Worker. */
  cancel(id: number, reason: unknown): void {
    const pending = this.#pending.get(id);
    if (pending !== undefined) {
      this.#post({ kind: 'cancel', id });
      pending.reject(reason);
    }
  }

  /** Says something that has no answer. */
  tell(message: Exclude<ToWorker, { kind: 'request' | 'cancel' }>, transfer?: Transferable[]): void {
    this.#post(message, transfer);
  }

  /** Ends the Worker, and rejects all that it was asked. */
  close(reason: unknown): void {
    if (this.#closed === undefined) {
      this.#closed = { reason };
      this.#worker.terminate();
      for (const pending of [...this.#pending.values()]) {
        pending.reject(reason);
      }
    }
  }

  #post(message: ToWorker, transfer: Transferable[] = []): void {
    if (this.#closed === undefined) {
      this.#worker.postMessage(message, transfer);
    }
  }

  #take(message: FromWorker): void {
    if (message.kind === 'metrics') {
      this.listener.onMetrics(message.record);
      return;
    }
    if (message.kind === 'notice') {
      this.listener.onNotice(message.notice);
      return;
    }
    // What was cancelled may still have something on its way.
    const pending = this.#pending.get(message.id);
    switch (message.kind) {
      case 'done':
        pending?.resolve(message.value);
        return;
      case 'failed':
        pending?.reject(errorOf(message.error));
        return;
      case 'opened':
        pending?.options.onOpened?.();
        return;
      case 'audio-ended':
        pending?.options.onAudioEnded?.();
        return;
      case 'event':
        pending?.options.onEvent?.(message.event);
        return;
      case 'load-progress':
        pending?.options.onLoadProgress?.(message.progress);
        return;
      case 'transcribe-progress':
        pending?.options.onTranscribeProgress?.(message.progress);
    }
  }
}

/** Calls what the page gave. What it throws is reported as uncaught, and changes nothing here. */
export function callPage<Argument>(callback: ((argument: Argument) => void) | undefined, argument: Argument): void {
  try {
    callback?.(argument);
  } catch (error) {
    reportError(error);
  }
}

/** Questions to a Worker that lives no longer than they take. */

import { CapabilityError, EngineError, errorOf } from './errors.js';
import type { FromWorker, Request, ToWorker } from './protocol.js';

/** Asks, and ends the Worker with the answer. Rejects with what the Worker failed with, or with the signal's reason. */
export function ask<Answer>(request: Request, signal?: AbortSignal): Promise<Answer> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    if (typeof Worker === 'undefined') {
      throw new CapabilityError('no-worker', 'This browser has no Workers: use a current one.');
    }
    const worker = new Worker(new URL('./worker/worker.js', import.meta.url), { type: 'module' });
    const cancel = (): void => settle(() => reject(signal?.reason));
    const settle = (tell: () => void): void => {
      signal?.removeEventListener('abort', cancel);
      worker.terminate();
      tell();
    };
    signal?.addEventListener('abort', cancel);
    worker.addEventListener('message', ({ data }: MessageEvent<FromWorker>) => {
      if (data.kind === 'done') {
        settle(() => resolve(data.value as Answer));
      } else if (data.kind === 'failed') {
        settle(() => reject(errorOf(data.error)));
      }
    });
    worker.addEventListener('error', ({ message }) => {
      const text = `Auricle's Worker did not start${message ? ` (${message})` : ''}: see that all its files are served.`;
      settle(() => reject(new EngineError('unreachable', text)));
    });
    worker.postMessage({ kind: 'request', id: 0, request } satisfies ToWorker);
  });
}

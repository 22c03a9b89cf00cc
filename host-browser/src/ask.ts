/** Questions to a Worker that lives no longer than they take. */

import { Connection } from './connection.js';
import type { Request } from './protocol.js';

/** Asks, and ends the Worker with the answer. Rejects with what the Worker failed with, or with the signal's reason. */
export async function ask<Answer>(request: Request, signal?: AbortSignal): Promise<Answer> {
  signal?.throwIfAborted();
  const connection = new Connection({ onMetrics: () => undefined, onNotice: () => undefined });
  try {
    return await connection.request<Answer>(request, { signal }).answer;
  } finally {
    connection.close(new DOMException('The question was answered.', 'AbortError'));
  }
}

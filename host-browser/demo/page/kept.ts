/** What this browser keeps. */

import type { CatalogModel } from '../dist/index.js';
import { deleteModel, listModels, persist, usage } from '../dist/store.js';
import type { Kept } from './models.js';

/** What is stored of a model; nothing where there is no storage. */
export async function keptOf({ sha256 }: CatalogModel): Promise<Kept> {
  const models = await listModels().catch(() => []);
  const stored = models.find((model) => model.sha256 === sha256);
  if (stored === undefined) {
    return { state: 'absent' };
  }
  return stored.complete ? { state: 'stored' } : { state: 'part', bytes: stored.storedBytes };
}

export async function remove(sha256: string): Promise<void> {
  await deleteModel(sha256);
}

/**
 * Asks the browser not to delete anything by itself. It decides, some by asking the visitor; nothing waits for it, and
 * where it refuses, a model that it deletes is downloaded again.
 */
export function keep(decided: () => void): void {
  persist().then(decided, decided);
}

export async function isPersisted(): Promise<boolean> {
  const { persisted } = await usage().catch(() => ({ persisted: false }));
  return persisted;
}

/** `auricle/store`: the models that this site keeps in the browser. */

import { ask } from './ask.js';
import type { StoredModel, StoreKind, StoreUsage } from './types.js';

export type { StoredModel, StoreKind, StoreUsage } from './types.js';

/** Where to look, and how to stop. */
export interface StoreOptions {
  /** Which store; the one that `Auricle.load` takes, unless given. */
  store?: 'auto' | StoreKind;
  /** Cancels: rejects with the signal's reason. */
  signal?: AbortSignal;
}

/** Every model that is kept, whole or in part. Fails with `StoreError`, as all of these do. */
export function listModels({ store = 'auto', signal }: StoreOptions = {}): Promise<StoredModel[]> {
  return ask({ kind: 'store.list', store }, signal);
}

/** Reads a model again, and tells whether it still has its digest. `false` where it is not there. */
export function verifyModel(sha256: string, { store = 'auto', signal }: StoreOptions = {}): Promise<boolean> {
  return ask({ kind: 'store.verify', store, sha256 }, signal);
}

/** Deletes a model, whole or in part, and tells whether it was there. One that is loaded goes on working. */
export function deleteModel(sha256: string, { store = 'auto', signal }: StoreOptions = {}): Promise<boolean> {
  return ask({ kind: 'store.delete', store, sha256 }, signal);
}

/** How much this site stores and may store, models and all else. */
export function usage({ store = 'auto', signal }: StoreOptions = {}): Promise<StoreUsage> {
  return ask({ kind: 'store.usage', store }, signal);
}

/**
 * Asks the browser not to delete what this site stores when it runs short of room, and tells whether it promised. Some
 * browsers ask the user, so do it when the user has seen what the page is good for.
 */
export async function persist({ store = 'auto', signal }: StoreOptions = {}): Promise<boolean> {
  // Only pages may ask where the user is asked: a Worker has no method for it.
  if (typeof navigator.storage?.persist === 'function' && store !== 'memory') {
    signal?.throwIfAborted();
    return navigator.storage.persist();
  }
  return ask({ kind: 'store.persist', store }, signal);
}

/** The model store and all else that is Rust in the Worker: the shim, started once. */

import startShim, { deviceReport, Marks, ModelStore, type DeviceReport, type Obtained } from '../shim/auricle_shim.js';
import type { StoreKind } from '../types.js';
import { gotCode } from './engine.js';

export { Marks, ModelStore, type Obtained };

const SHIM = new URL('../shim/auricle_shim_bg.wasm?no-inline', import.meta.url);

let started: Promise<unknown> | undefined;

/** It is started for all who wait for it: none of them cancels it. */
const NEVER = new AbortController().signal;

/** Starts the shim, where that was not done yet. Nothing of it may be used before. */
export async function startedShim(): Promise<void> {
  started ??= gotCode(SHIM, NEVER, (response) => startShim({ module_or_path: response }));
  try {
    await started;
  } catch (error) {
    started = undefined;
    throw error;
  }
}

/** Opens the store. */
export async function openStore(kind: 'auto' | StoreKind): Promise<ModelStore> {
  await startedShim();
  return await ModelStore.open(kind);
}

/** What this device has, as a Worker sees it. */
export async function reportOfDevice(): Promise<DeviceReport> {
  await startedShim();
  return await deviceReport();
}

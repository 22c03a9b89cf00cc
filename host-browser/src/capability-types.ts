/** What passes between `auricle/capabilities` and a page. */

import type { Flavour, ModelName, StoreUsage } from './types.js';

/** What this browser and this device have. What a browser does not tell is left out. */
export interface CapabilityReport {
  /** WebAssembly, 128-bit SIMD in it, and relaxed SIMD. */
  wasm: boolean;
  simd: boolean;
  relaxedSimd: boolean;
  /** Module Workers. */
  worker: boolean;
  /** Whether the page came by https or from this device: without, there is no microphone and no storage. */
  secureContext: boolean;
  crossOriginIsolated: boolean;
  /** Logical processor cores. */
  cores?: number;
  /** Memory of the device in GiB, rounded and capped by the browser. */
  memoryGib?: number;
  /** The origin private file system, with files that a Worker writes. */
  opfs: boolean;
  cacheApi: boolean;
  webLocks: boolean;
  broadcastChannel: boolean;
  /** Whether there is a WebGPU adapter. Auricle does not need it. */
  webGpu: boolean;
  audioWorklet: boolean;
  getUserMedia: boolean;
  /** What this site has stored, and may store. */
  storage: StoreUsage;
}

/** How fast this device was, with the engine itself and a model of the real one's size. */
export interface Calibration {
  /** The build that was measured. */
  flavour: Flavour;
  /** Time that transcribing takes, by the time that speaking takes: below 1 is faster than it is spoken. */
  realTimeFactor: number;
  /** Getting and compiling the engine, in milliseconds. */
  compileMs: number;
  /** Making the model and loading it, in milliseconds. */
  loadMs: number;
  /** The most WebAssembly memory that was used, in bytes. */
  memoryBytes: number;
  /** What measuring took, in milliseconds. */
  elapsedMs: number;
}

/** What suits this device: options for `Auricle.load` and `listen`, or why nothing does. */
export type Recommendation =
  | { ok: true; flavour: Flavour; model: ModelName; partials: 'eager' | 'economical' }
  | { ok: false; refuse: 'no-wasm' | 'no-simd' | 'no-worker' | 'too-little-memory' | 'too-slow'; reason: string };

/** Whether this device can at all. */

import { CapabilityError } from './errors.js';
import { hasRelaxedSimd, hasSimd, hasWasm } from './features.js';
import type { Calibration, CapabilityReport } from './types.js';

/**
 * Slower devices are refused: a second of speech must leave time for text that is still being spoken and for the page, and
 * the last words are waited for.
 */
export const SLOWEST_REAL_TIME_FACTOR = 0.7;

/** Devices with less do not keep a page with a model open. Browsers tell 0.25, 0.5, 1, 2, 4 or 8. */
const SMALLEST_MEMORY_GIB = 0.5;

/** What a page knows by itself. OPFS, storage and WebGPU are known only to a Worker or later. */
export function reportOfPage(): CapabilityReport {
  const { hardwareConcurrency, deviceMemory } = navigator as Navigator & { deviceMemory?: number };
  return {
    wasm: hasWasm(),
    simd: hasSimd(),
    relaxedSimd: hasRelaxedSimd(),
    // What is asked of a Worker is cancelled by signals, as they are since 2022.
    worker: typeof Worker === 'function' && typeof AbortSignal.prototype.throwIfAborted === 'function',
    secureContext: globalThis.isSecureContext === true,
    crossOriginIsolated: globalThis.crossOriginIsolated === true,
    ...(hardwareConcurrency !== undefined && { cores: hardwareConcurrency }),
    ...(deviceMemory !== undefined && { memoryGib: deviceMemory }),
    opfs: false,
    cacheApi: 'caches' in globalThis,
    webLocks: 'locks' in navigator,
    broadcastChannel: 'BroadcastChannel' in globalThis,
    webGpu: false,
    audioWorklet: typeof AudioWorkletNode === 'function',
    getUserMedia: typeof navigator.mediaDevices?.getUserMedia === 'function',
    storage: { persisted: false },
  };
}

/** Why Auricle cannot run here, where it cannot. */
export function refusal(report: CapabilityReport, calibration?: Calibration): CapabilityError | undefined {
  if (!report.wasm) {
    const message = 'This browser does not run WebAssembly: use a current one, or turn it on.';
    return new CapabilityError('no-wasm', message);
  }
  if (!report.simd) {
    return new CapabilityError('no-simd', 'This browser has no SIMD in WebAssembly: use one of 2023 or later.');
  }
  if (!report.worker) {
    return new CapabilityError('no-worker', 'This browser has no module Workers, or none that can be cancelled: use one of 2023 or later.');
  }
  const { memoryGib } = report;
  if (memoryGib !== undefined && memoryGib < SMALLEST_MEMORY_GIB) {
    const message = `This device has ${memoryGib} GiB of memory, and ${SMALLEST_MEMORY_GIB} are needed: use another one.`;
    return new CapabilityError('too-little-memory', message, { memoryGib });
  }
  if (calibration && calibration.realTimeFactor > SLOWEST_REAL_TIME_FACTOR) {
    const { realTimeFactor } = calibration;
    const message =
      `It is too slow here: a second of speech takes ${realTimeFactor.toFixed(1)} s, and may take ` +
      `${SLOWEST_REAL_TIME_FACTOR} s. Close other programs and try again, or use another device.`;
    return new CapabilityError('too-slow', message, { realTimeFactor });
  }
  return undefined;
}

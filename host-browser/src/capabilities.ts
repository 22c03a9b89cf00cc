/** `auricle/capabilities`: what this device has, how fast it is, and what suits it. */

import { ask } from './ask.js';
import { refusal, reportOfPage } from './refusal.js';
import type { Calibration, CapabilityReport, Recommendation } from './types.js';
import { DEFAULT_MODEL } from './catalog.js';
import type { DeviceReport } from './shim/auricle_shim.js';

export type { Calibration, CapabilityReport, Flavour, ModelName, Recommendation, StoreUsage } from './types.js';

/** Up to here, text that is still being spoken is worth its work. */
const EAGER_REAL_TIME_FACTOR = 0.35;

/** Tells what is there. Asks nobody, downloads nothing but Auricle's own code, and does not fail. */
export async function report({ signal }: { signal?: AbortSignal } = {}): Promise<CapabilityReport> {
  const ofPage = reportOfPage();
  if (!ofPage.wasm || !ofPage.worker) return ofPage;
  let device: DeviceReport;
  try {
    device = await ask<DeviceReport>({ kind: 'capabilities.report' }, signal);
  } catch {
    signal?.throwIfAborted();
    return { ...ofPage, worker: false };
  }
  const { wasmSimd, wasmRelaxedSimd, usageBytes, quotaBytes, persisted } = device;
  return {
    ...ofPage,
    simd: ofPage.simd && wasmSimd,
    relaxedSimd: ofPage.relaxedSimd && wasmRelaxedSimd,
    opfs: device.opfs,
    cacheApi: device.cacheApi,
    webLocks: device.webLocks,
    broadcastChannel: device.broadcastChannel,
    webGpu: device.webGpu,
    storage: { persisted, ...(usageBytes !== undefined && { usageBytes }), ...(quotaBytes !== undefined && { quotaBytes }) },
  };
}

/**
 * Measures how fast this device transcribes, in a Worker of its own: about a second, and some on a slow device. Runs the
 * engine with a model of the default one's size that is made up on the spot, so nothing is downloaded.
 *
 * Fails with `CapabilityError` where the engine cannot run at all, and `EngineError` where its files are not got.
 */
export async function calibrate({ signal }: { signal?: AbortSignal } = {}): Promise<Calibration> {
  signal?.throwIfAborted();
  const refused = refusal(reportOfPage());
  if (refused) throw refused;
  return ask({ kind: 'capabilities.calibrate' }, signal);
}

/** Says what suits this device: by what it has, and by how fast it was, where that was measured. */
export function recommend(report: CapabilityReport, calibration?: Calibration): Recommendation {
  const refused = refusal(report, calibration);
  if (refused) return { ok: false, refuse: refused.code, reason: refused.message };
  const isFast = calibration === undefined || calibration.realTimeFactor <= EAGER_REAL_TIME_FACTOR;
  return {
    ok: true,
    flavour: report.relaxedSimd ? 'relaxed-simd' : 'simd128',
    model: DEFAULT_MODEL,
    partials: isFast ? 'eager' : 'economical',
  };
}

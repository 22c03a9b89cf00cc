/** Whether this device transcribes, or the server that the page named for when it cannot. */

import { unlessAborted } from './abort.js';
import { calibrate } from './capabilities.js';
import { CapabilityError } from './errors.js';
import { refusal, reportOfPage } from './refusal.js';
import type { Calibration, CapabilityReport, LoadOptions } from './types.js';

/** What was measured on this page, of a device that is fast enough: that does not change from one `load` to the next. */
let measured: Promise<Calibration> | undefined;

/**
 * Why the device cannot, where it cannot: by what it has, and by how fast it is, where that was measured. Where there is a
 * server to turn to, it is measured now.
 */
export async function refusalHere({ calibration, fallback, signal }: LoadOptions): Promise<CapabilityError | undefined> {
  const report = reportOfPage();
  const refused = refusal(report, calibration);
  if (refused || !fallback || calibration) return refused;
  try {
    measured ??= measure(report);
    return refusal(report, await unlessAborted(measured, signal));
  } catch (error) {
    signal?.throwIfAborted();
    // Anything else, such as files that are missing, `load` meets too.
    return error instanceof CapabilityError ? error : undefined;
  }
}

/**
 * Measures, and once more where the device seems too slow: something else may just have kept it busy. Where that is no better,
 * the next `load` measures anew.
 */
async function measure(report: CapabilityReport): Promise<Calibration> {
  try {
    let calibration = await calibrate();
    if (refusal(report, calibration)) calibration = await calibrate();
    if (refusal(report, calibration)) measured = undefined;
    return calibration;
  } catch (error) {
    measured = undefined;
    throw error;
  }
}

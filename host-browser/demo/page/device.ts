/** What this device has, how fast it is when measured, and what that means. */

import { calibrate, recommend, report } from '../dist/capabilities.js';
import type { Calibration, CapabilityReport, Recommendation } from '../dist/index.js';
import { create, element, setText } from './dom.js';
import * as notices from './notices.js';
import { milliseconds, roughBytes } from './units.js';

/** Shows the report, and offers to measure. Says at once where the device cannot. */
export async function showDevice(): Promise<void> {
  const button = element('calibrate', HTMLButtonElement);
  const details = element('device', HTMLDetailsElement);
  let found = await report();
  let calibration: Calibration | undefined;
  show(found);
  details.addEventListener('toggle', () => {
    if (details.open) {
      // What is stored has changed since the page was opened.
      void report().then((report) => show((found = report), calibration));
    }
  });
  button.addEventListener('click', () => {
    button.disabled = true;
    setText(button, 'Measuring…');
    calibrate()
      .then((measured) => show(found, (calibration = measured)), notices.showError)
      .finally(() => {
        button.disabled = false;
        setText(button, 'Measure again');
      });
  });
}

function show(found: CapabilityReport, calibration?: Calibration): void {
  const advice = recommend(found, calibration);
  setText(element('device-summary', HTMLElement), summary(advice, calibration));
  if (!advice.ok) {
    notices.show(advice.refuse, 'alert', 'This device cannot do it', advice.reason);
  }
  const rows = facts(found, calibration).map(([name, value]) => {
    const row = create('div');
    row.append(create('dt', '', name), create('dd', '', value));
    return row;
  });
  element('report', HTMLElement).replaceChildren(...rows);
}

function summary(advice: Recommendation, calibration: Calibration | undefined): string {
  if (!advice.ok) {
    return 'cannot run it';
  }
  return calibration === undefined ? 'can run it' : faster(calibration.realTimeFactor);
}

function facts(found: CapabilityReport, calibration: Calibration | undefined): [string, string][] {
  const { cores, memoryGib, storage } = found;
  const rows: [string, string][] = [['WebAssembly', instructions(found)]];
  if (cores !== undefined) {
    rows.push(['Processor cores', String(cores)]);
  }
  if (memoryGib !== undefined) {
    // Browsers tell no more than that, so that nobody is known by it.
    rows.push(['Memory', memoryGib >= 8 ? '8 GiB or more' : `${memoryGib} GiB`]);
  }
  rows.push(['Microphone', microphone(found)], ['Keeps the model in', place(found)]);
  if (storage.usageBytes !== undefined && storage.quotaBytes !== undefined) {
    rows.push(['Stored here', `${roughBytes(storage.usageBytes)} of ${roughBytes(storage.quotaBytes)}`]);
  }
  rows.push(['WebGPU', found.webGpu ? 'yes, though not needed' : 'no, and not needed']);
  if (calibration !== undefined) {
    rows.push(
      ['Real-time factor', calibration.realTimeFactor.toFixed(2)],
      ['Engine compiled in', milliseconds(calibration.compileMs)],
      ['Engine’s memory', roughBytes(calibration.memoryBytes)],
    );
  }
  return rows;
}

function instructions({ wasm, simd, relaxedSimd }: CapabilityReport): string {
  if (!wasm) {
    return 'none';
  }
  return relaxedSimd ? 'relaxed SIMD' : simd ? 'SIMD' : 'no SIMD';
}

function microphone({ secureContext, getUserMedia, audioWorklet }: CapabilityReport): string {
  if (!secureContext) {
    return 'only over https';
  }
  return getUserMedia && audioWorklet ? 'can be used' : 'this browser has no way to it';
}

function place({ opfs, cacheApi }: CapabilityReport): string {
  if (opfs) {
    return 'private files';
  }
  return cacheApi ? 'the browser’s cache' : 'memory, until the page is closed';
}

function faster(realTimeFactor: number): string {
  const times = 1 / realTimeFactor;
  return times >= 1 ? `${times.toFixed(times < 10 ? 1 : 0)} times as fast as speech` : 'slower than speech';
}

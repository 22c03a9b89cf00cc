/** The measuring of a device, in Node: the model that is made up, and what is made of the times. */

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';

import { CATALOG } from '../dist/catalog.js';
import { recommend } from '../dist/capabilities.js';
import { calibrate } from '../dist/worker/calibrate.js';
import { MOONSHINE_TINY, syntheticModel } from '../dist/worker/synthetic-model.js';
import { unless } from './support/place.mjs';

/** @typedef {import('../dist/types.js').CapabilityReport} CapabilityReport */

const skip = unless('package');
const pause = async () => void (await setImmediate());

/** The engine in Node. */
async function start() {
  const { instantiate } = await import('../dist/engine/auricle.js');
  const { engine, imports, instantiateCore, small } = await import('../dist/engine/modules.js');
  const { recognition } = await instantiate(
    async (name) => WebAssembly.compile(small[name] ?? (await readFile(engine.simd128))),
    imports,
    instantiateCore,
  );
  return { recognition, flavour: /** @type {const} */ ('simd128') };
}

test('the model that is made up is taken for a real one of the same size', { skip }, async () => {
  const { recognition } = await start();
  const { totalBytes, chunks } = syntheticModel(MOONSHINE_TINY);
  const loader = new recognition.ModelLoader(BigInt(totalBytes));
  for (const chunk of chunks()) loader.write(chunk);
  assert.equal(Number(loader.receivedBytes()), totalBytes);
  const { architecture, parameters, quantization } = recognition.loadModel(loader).info();
  assert.deepEqual([architecture, quantization], ['moonshine', 'q8']);
  assert.equal(Number(parameters), CATALOG[0].parameters);
});

test('measuring takes about a second, and gives a real-time factor', { skip }, async () => {
  const calibration = await calibrate(start, pause);
  assert.equal(calibration.flavour, 'simd128');
  // A computer that runs these tests is neither fifty times faster nor too slow.
  assert.ok(calibration.realTimeFactor > 0.0005 && calibration.realTimeFactor < 0.7, String(calibration.realTimeFactor));
  assert.ok(calibration.elapsedMs < 5_000, String(calibration.elapsedMs));
  assert.ok(calibration.memoryBytes > 28e6 && calibration.memoryBytes < 128e6, String(calibration.memoryBytes));
});

test('measuring ends where it is no longer wanted', { skip }, async () => {
  let pauses = 0;
  const enough = new Error('enough');
  const cancel = async () => {
    pauses += 1;
    if (pauses === 40) throw enough;
  };
  await assert.rejects(calibrate(start, cancel), enough);
  assert.equal(pauses, 40);
});

test('a device that does not get to the end is judged by what it has done', async (t) => {
  // On this clock, a step takes a second and does a tenth of the work of two seconds of speech.
  let nowMs = 0;
  t.mock.method(performance, 'now', () => nowMs);
  let steps = 0;
  const session = {
    reset() {},
    pushAudio() {},
    finish() {},
    pollTranscript() {
      nowMs += 1_000;
      steps += 1;
      return { more: true };
    },
    metrics: () => ({
      stages: [{ stage: 'encoder', elapsedNs: BigInt(steps * 1e9), multiplyAdds: BigInt(steps * 1e8) }],
      tokens: 0n,
      peakMemoryBytes: 1n,
    }),
  };
  const recognition = {
    ModelLoader: class {
      write() {}
    },
    loadModel: () => ({ defaultOptions: () => ({}) }),
    Session: { open: () => session },
  };
  const slow = /** @type {any} */ ({ recognition, flavour: 'simd128' });
  const { realTimeFactor } = await calibrate(async () => slow, async () => {});
  assert.equal(steps, 5);
  assert.ok(realTimeFactor > 4 && realTimeFactor < 6, String(realTimeFactor));
});

/** @type {CapabilityReport} */
const ABLE = {
  wasm: true,
  simd: true,
  relaxedSimd: true,
  worker: true,
  secureContext: true,
  crossOriginIsolated: false,
  opfs: true,
  cacheApi: true,
  webLocks: true,
  broadcastChannel: true,
  webGpu: false,
  audioWorklet: true,
  getUserMedia: true,
  storage: { persisted: false },
};

/** @param {number} realTimeFactor */
const measured = (realTimeFactor) => ({
  flavour: /** @type {const} */ ('simd128'),
  realTimeFactor,
  compileMs: 1,
  loadMs: 1,
  memoryBytes: 1,
  elapsedMs: 1,
});

test('what suits a device goes by what it has and how fast it is', () => {
  const model = 'moonshine-tiny-en';
  assert.deepEqual(recommend(ABLE), { ok: true, flavour: 'relaxed-simd', model, partials: 'eager' });
  const plain = { ...ABLE, relaxedSimd: false };
  assert.deepEqual(recommend(plain, measured(0.05)), { ok: true, flavour: 'simd128', model, partials: 'eager' });
  assert.deepEqual(recommend(plain, measured(0.5)), { ok: true, flavour: 'simd128', model, partials: 'economical' });
});

test('a device that cannot is refused with the reason', () => {
  /** @type {[Partial<CapabilityReport>, number, string, RegExp][]} */
  const cases = [
    [{ wasm: false, simd: false }, 0.05, 'no-wasm', /WebAssembly/],
    [{ simd: false }, 0.05, 'no-simd', /SIMD/],
    [{ worker: false }, 0.05, 'no-worker', /Workers/],
    [{ memoryGib: 0.25 }, 0.05, 'too-little-memory', /0\.25 GiB/],
    [{}, 0.8, 'too-slow', /too slow here: a second of speech takes 0\.8 s/],
  ];
  for (const [lacks, realTimeFactor, refuse, reason] of cases) {
    const recommendation = recommend({ ...ABLE, ...lacks }, measured(realTimeFactor));
    assert.ok(!recommendation.ok);
    assert.equal(recommendation.refuse, refuse);
    assert.match(recommendation.reason, reason);
  }
});

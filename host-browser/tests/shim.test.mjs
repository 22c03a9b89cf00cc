/** What else of Rust there is in the Worker: audio, the device, and marks. */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { launch } from './support/chromium.mjs';
import { FaultServer, randomFile } from './support/fault-server.mjs';
import { unless } from './support/place.mjs';
import { openStore } from './support/store-worker.mjs';

/** Of the samples of `testdata/jfk.wav`; `host-native/conditioning/tests/samples.rs` demands the same of the native host. */
const AS_IT_IS = 'ebd52851100536db02d12c49fddd010372dcdc70243562e057553d476b706ae0';

/** Of the same samples, taken to be stereo at 44 100 Hz. */
const RESAMPLED = '62e089c250ce97091a5fbcd3b1e0f6d31c379595e06ca06e1640d07b08bf7ff3';

describe('the shim', { skip: unless('package', 'chromium') }, () => {
  /** @type {import('playwright-core').Browser} */
  let browser;
  /** @type {FaultServer} */
  let server;
  before(async () => {
    browser = await launch();
    server = await new FaultServer(randomFile(1000)).start();
  });
  after(async () => {
    await browser?.close();
    await server?.close();
  });

  test('WAV files give the samples that the native host reads', async (t) => {
    const { store } = await openStore(t, browser, server);
    assert.deepEqual(await store.ask('decode', { url: '/jfk.wav' }), { samples: 176_000, sha256: AS_IT_IS });
    await assert.rejects(store.ask('decode', { url: '/' }), { class: 'AudioError', code: 'not-wav' });
  });

  test('audio of another rate is resampled to the native host\'s samples, however it is cut', async (t) => {
    const { store } = await openStore(t, browser, server);
    for (const cut of [999, 44_100, 1_000_000]) {
      const { level, ...samples } = await store.ask('condition', { url: '/jfk.wav', rateHz: 44_100, channels: 2, cut });
      assert.deepEqual(samples, { samples: 31_927, sha256: RESAMPLED });
      assert.ok(level.peak > 0.1 && level.peak < 1 && level.rms > 0.01 && level.rms < level.peak, JSON.stringify(level));
    }
  });

  test('a rate that no device has is an error', async (t) => {
    const { store } = await openStore(t, browser, server);
    for (const rateHz of [0, 44_100.5, 999, 1e9, Number.NaN]) {
      const refused = { class: 'AudioError', code: 'unsupported-rate' };
      await assert.rejects(store.ask('conditioner', { rateHz, channels: 1 }), refused);
    }
    const refused = { class: 'AudioError', code: 'invalid-audio' };
    await assert.rejects(store.ask('conditioner', { rateHz: 48_000, channels: 0 }), refused);
  });

  test('the device report tells what Chromium has', async (t) => {
    const { store } = await openStore(t, browser, server);
    const { cores, memoryGib, usageBytes, quotaBytes, webGpu, ...rest } = await store.ask('deviceReport');
    assert.deepEqual(rest, {
      secureContext: true,
      crossOriginIsolated: false,
      wasmSimd: true,
      wasmRelaxedSimd: true,
      opfs: true,
      cacheApi: true,
      webLocks: true,
      broadcastChannel: true,
      persisted: false,
    });
    assert.ok(cores >= 1 && memoryGib > 0 && usageBytes >= 0 && quotaBytes > 0);
    assert.equal(typeof webGpu, 'boolean');
  });

  test('marks and measures are under auricle:', async (t) => {
    const { store } = await openStore(t, browser, server);
    const { measured, unknown, names } = await store.ask('marks');
    assert.ok(measured >= 0);
    assert.equal(unknown, undefined);
    assert.ok(names.includes('mark auricle:begin') && names.includes('measure auricle:all'), names.join());
  });
});

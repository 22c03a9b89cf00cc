/** What a page learns of its device, and what it is told to do, in Chromium. */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { launch } from './support/chromium.mjs';
import { unless } from './support/place.mjs';
import { openPage, serveSite } from './support/site.mjs';

/**
 * @typedef {typeof import('../dist/capabilities.js')} Capabilities
 * @typedef {typeof import('../dist/store.js')} Store
 * @typedef {typeof import('../dist/index.js')} Package
 */

const skip = unless('package', 'model', 'chromium');

describe('a page', { skip }, () => {
  /** @type {import('playwright-core').Browser} */
  let browser;
  /** @type {import('../scripts/server.mjs').Served} */
  let site;
  /** @type {import('playwright-core').Page} */
  let page;
  /** @type {string[]} */
  let complaints;

  before(async () => {
    site = await serveSite();
    browser = await launch();
    ({ page, complaints } = await openPage(browser, site));
  });
  after(async () => {
    await browser?.close();
    await site?.close();
  });

  test('learns what there is, and gets nothing for it but code', async () => {
    const report = await page.evaluate(async () => {
      const { report } = /** @type {Capabilities} */ (await import(/** @type {any} */ ('/auricle/capabilities.js')));
      return await report();
    });
    const there = { wasm: true, simd: true, relaxedSimd: true, worker: true, secureContext: true, opfs: true };
    const also = { cacheApi: true, webLocks: true, broadcastChannel: true, audioWorklet: true, getUserMedia: true };
    for (const [name, value] of Object.entries({ ...there, ...also, crossOriginIsolated: false })) {
      assert.equal(report[/** @type {keyof typeof report} */ (name)], value, name);
    }
    assert.ok(Number(report.cores) >= 1);
    assert.equal(typeof report.webGpu, 'boolean');
    assert.equal(typeof report.storage.persisted, 'boolean');
    assert.ok(Number(report.storage.quotaBytes) > 0);
    assert.deepEqual(site.requests.filter((path) => path.includes('.gguf')), []);
  });

  test('measures itself without a model, and is told what suits it', async (t) => {
    const { calibration, recommendation, tasks } = await page.evaluate(async () => {
      const { calibrate, recommend, report } = /** @type {Capabilities} */ (
        await import(/** @type {any} */ ('/auricle/capabilities.js'))
      );
      /** @type {number[]} */
      const found = [];
      const observer = new PerformanceObserver((list) => found.push(...list.getEntries().map(({ duration }) => duration)));
      observer.observe({ type: 'longtask' });
      // Whatever else the computer does can make any task long; what the page does itself is long every time.
      /** @type {number[][]} By run. */
      const tasks = [];
      let calibration;
      do {
        calibration = await calibrate();
        tasks.push([...found.splice(0), ...observer.takeRecords().map(({ duration }) => duration)]);
      } while (tasks.length < 3 && tasks[tasks.length - 1].length > 0);
      return { calibration, recommendation: recommend(await report(), calibration), tasks };
    });
    t.diagnostic(`${JSON.stringify(calibration)}; tasks over 50 ms on the page: ${JSON.stringify(tasks)}`);
    assert.equal(calibration.flavour, 'relaxed-simd');
    assert.ok(calibration.realTimeFactor > 0 && calibration.realTimeFactor < 0.7, String(calibration.realTimeFactor));
    assert.ok(calibration.elapsedMs < 6_000, String(calibration.elapsedMs));
    assert.equal(recommendation.ok, true);
    assert.equal(recommendation.ok && recommendation.flavour, 'relaxed-simd');
    assert.deepEqual(tasks[tasks.length - 1], []);
    assert.deepEqual(site.requests.filter((path) => path.includes('.gguf')), []);
  });

  test('stops measuring where it no longer wants to know', async () => {
    const reason = await page.evaluate(async () => {
      const { calibrate } = /** @type {Capabilities} */ (await import(/** @type {any} */ ('/auricle/capabilities.js')));
      const controller = new AbortController();
      const calibrating = calibrate({ signal: controller.signal });
      controller.abort('enough');
      return await calibrating.catch((error) => error);
    });
    assert.equal(reason, 'enough');
  });

  test('is as fast as it measured', async (t) => {
    const { measured, real } = await page.evaluate(async () => {
      const { calibrate } = /** @type {Capabilities} */ (await import(/** @type {any} */ ('/auricle/capabilities.js')));
      const { Auricle } = /** @type {Package} */ (await import(/** @type {any} */ ('/auricle/index.js')));
      const auricle = await Auricle.load();
      const times = [];
      for (let run = 0; run < 4; run += 1) {
        const start = performance.now();
        const { durationS } = await auricle.transcribe('/testdata/jfk.wav');
        times.push((performance.now() - start) / 1_000 / durationS);
      }
      auricle.close();
      return { measured: (await calibrate()).realTimeFactor, real: Math.min(...times) };
    });
    t.diagnostic(`measured ${measured.toFixed(4)}, real ${real.toFixed(4)}`);
    // Others use this computer too: by the power of two.
    assert.ok(measured / real > 1 / 4 && measured / real < 4, `${measured} is not about ${real}`);
  });

  test('sees what it has stored, verifies and deletes it', async () => {
    const seen = await page.evaluate(async () => {
      const store = /** @type {Store} */ (await import(/** @type {any} */ ('/auricle/store.js')));
      const { CATALOG } = /** @type {Package} */ (await import(/** @type {any} */ ('/auricle/index.js')));
      const [{ sha256 }] = CATALOG;
      const models = await store.listModels();
      const usage = await store.usage();
      const isWhole = await store.verifyModel(sha256);
      const isOther = await store.verifyModel('0'.repeat(64));
      const persisted = await store.persist();
      const deleted = [await store.deleteModel(sha256), await store.deleteModel(sha256)];
      return { models, usage, isWhole, isOther, persisted, deleted, left: await store.listModels(), sha256 };
    });
    assert.equal(seen.models.length, 1);
    const [{ sha256, bytes, complete, name }] = seen.models;
    assert.deepEqual({ sha256, bytes, complete, name }, {
      sha256: seen.sha256,
      bytes: 29_494_916,
      complete: true,
      name: 'moonshine-tiny-en',
    });
    assert.ok(Number(seen.usage.usageBytes) >= bytes);
    assert.deepEqual([seen.isWhole, seen.isOther], [true, false]);
    assert.equal(typeof seen.persisted, 'boolean');
    assert.deepEqual(seen.deleted, [true, false]);
    assert.deepEqual(seen.left, []);
  });

  test('complains of nothing', () => assert.deepEqual(complaints, []));
});

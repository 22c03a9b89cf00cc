/** Loading: progress, measurements, the second visit, and how it fails and is cancelled. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { openModule } from './support/auricle.mjs';
import { launch } from './support/chromium.mjs';
import { unless } from './support/place.mjs';
import { serveSite } from './support/site.mjs';

const skip = unless('package', 'model', 'chromium');

/** @type {Awaited<ReturnType<typeof serveSite>>} */
let site;
/** @type {import('playwright-core').Browser} */
let browser;

before(async () => {
  if (!skip) {
    site = await serveSite();
    browser = await launch();
  }
});
after(async () => {
  await browser?.close();
  await site?.close();
});

test('loading tells its phases in order, never falls back, and measures each of them', { skip }, async (t) => {
  const { context, page, complaints } = await openModule(browser, site);
  t.after(() => context.close());
  const { progress, metrics, measures, engine, model } = await page.evaluate(async () => {
    const { Auricle } = /** @type {any} */ (globalThis).module;
    /** @type {import('../dist/types.js').LoadProgress[]} */
    const progress = [];
    /** @type {import('../dist/types.js').MetricsRecord[]} */
    const metrics = [];
    const auricle = await Auricle.load({
      onProgress: (/** @type {any} */ step) => progress.push(step),
      onMetrics: (/** @type {any} */ record) => metrics.push(record),
    });
    const measures = performance.getEntriesByType('measure').map(({ name }) => name).sort();
    const { engine, model } = auricle;
    auricle.close();
    return { progress, metrics, measures, engine, model };
  });
  const phases = progress.map(({ phase }) => phase).filter((phase, index, all) => phase !== all[index - 1]);
  assert.deepEqual(phases, ['download', 'verify', 'compile', 'load']);
  for (const [index, { fraction, loadedBytes, totalBytes, source }] of progress.entries()) {
    const former = progress[index - 1];
    assert.ok(fraction >= (former?.fraction ?? 0) && loadedBytes >= (former?.loadedBytes ?? 0), `step ${index}`);
    assert.deepEqual([totalBytes, source], [29_494_916, 'network']);
  }
  assert.ok(progress.length > 5, `${progress.length} steps`);
  assert.deepEqual([progress.at(-1)?.fraction, progress.at(-1)?.loadedBytes], [1, 29_494_916]);
  assert.ok(progress.some(({ bytesPerSecond }) => bytesPerSecond > 0));

  assert.deepEqual(metrics.map(({ name }) => name), ['download', 'verify', 'compile', 'load']);
  assert.ok(metrics.every(({ value, unit }) => unit === 'ms' && value >= 0 && value < 60_000));
  assert.equal(metrics[0].attributes['source'], 'network');
  for (const { timestampMs } of metrics) {
    assert.ok(Math.abs(timestampMs - Date.now()) < 60_000);
  }
  assert.deepEqual(measures, ['auricle:compile', 'auricle:download', 'auricle:load', 'auricle:verify']);

  assert.deepEqual([engine.version, engine.flavour, engine.store], ['0.1.0', 'relaxed-simd', 'opfs']);
  assert.ok(engine.memoryBytes > 29e6 && engine.memoryBytes < 60e6);
  const { name, architecture, quantization, languages, license, longestSegmentS } = model;
  assert.deepEqual({ name, architecture, quantization, languages, license, longestSegmentS }, {
    name: 'moonshine-tiny-en',
    architecture: 'moonshine',
    quantization: 'q8',
    languages: ['en'],
    license: 'MIT',
    longestSegmentS: 30,
  });
  assert.deepEqual(complaints, []);
});

test('the second visit has the model without a network', { skip }, async (t) => {
  const { context, page } = await openModule(browser, site);
  t.after(() => context.close());
  const visit = () =>
    page.evaluate(async () => {
      const { Auricle } = /** @type {any} */ (globalThis).module;
      /** @type {Set<string>} */
      const sources = new Set();
      const auricle = await Auricle.load({
        modelsUrl: new URL('/models', location.href),
        onProgress: (/** @type {any} */ { source }) => sources.add(source),
      });
      const { text } = await auricle.transcribe('/testdata/jfk.wav');
      auricle.close();
      return { sources: [...sources], text };
    });
  const first = await visit();
  assert.deepEqual(first.sources, ['network']);
  // Only the model is out of reach: the page and its audio are a service worker's to keep.
  await page.route('**/*.gguf', (route) => route.abort());
  const second = await visit();
  assert.deepEqual(second.sources, ['store']);
  assert.equal(second.text, first.text);
});

test('loading can be cancelled at any stage, and leaves no Worker behind', { skip }, async (t) => {
  const { context, page } = await openModule(browser, site);
  t.after(() => context.close());
  const outcomes = await page.evaluate(async () => {
    const { module, outcome } = /** @type {any} */ (globalThis);
    const load = (/** @type {object} */ options) => outcome(module.Auricle.load({ store: 'memory', ...options }));
    const before = await load({ signal: AbortSignal.abort() });
    const reason = Object.assign(new Error('I have had enough'), { name: 'Enough' });
    const own = await load({ signal: AbortSignal.abort(reason) });
    /** @type {Record<string, string>} */
    const during = {};
    for (const phase of ['download', 'verify', 'compile', 'load']) {
      const controller = new AbortController();
      during[phase] = await load({
        signal: controller.signal,
        onProgress: (/** @type {any} */ step) => step.phase === phase && step.fraction < 1 && controller.abort(),
      });
    }
    return { before, own, during };
  });
  assert.deepEqual([outcomes.before, outcomes.own], ['AbortError', 'Enough']);
  // What has happened when the page hears of a phase may have been all.
  assert.equal(outcomes.during['download'], 'AbortError');
  assert.ok(Object.values(outcomes.during).every((outcome) => ['AbortError', 'done'].includes(outcome)));
  const live = Object.values(outcomes.during).filter((outcome) => outcome === 'done').length;
  await waitFor(() => page.workers().length === live, `${page.workers().length} Workers`);
});

test('what cannot be loaded is a typed error', { skip }, async (t) => {
  const { context, page } = await openModule(browser, site);
  t.after(() => context.close());
  const outcomes = await page.evaluate(async () => {
    const { module, outcome } = /** @type {any} */ (globalThis);
    const load = (/** @type {object} */ options) => outcome(module.Auricle.load({ store: 'memory', ...options }));
    const right = module.CATALOG[0];
    const own = { name: 'own', url: '/testdata/jfk.wav', sha256: '0'.repeat(64), bytes: 352_078 };
    return {
      name: await load({ model: 'moonshine-huge' }),
      nothing: await load({ modelsUrl: '/nowhere/' }),
      digest: await load({ model: { ...own, sha256: 'none' } }),
      length: await load({ model: { ...own, bytes: -1 } }),
      audio: await load({ model: own }),
      page: await load({ model: { ...own, url: '/' } }),
      size: await load({ model: { ...right, url: '/models/moonshine-tiny-en-q8.gguf', bytes: right.bytes + 1 } }),
      wrong: await load({ model: { ...right, url: '/models/moonshine-tiny-en-q8.gguf', sha256: '0'.repeat(64) } }),
      store: await load({ store: 'drawer' }),
      flavour: await load({ flavour: 'mint' }),
    };
  });
  assert.deepEqual(outcomes, {
    name: 'ModelError unknown-model',
    nothing: 'DownloadError http-status',
    digest: 'EngineError invalid-option',
    length: 'EngineError invalid-option',
    audio: 'DownloadError wrong-digest',
    page: 'DownloadError not-a-model',
    size: 'DownloadError wrong-size',
    wrong: 'DownloadError wrong-digest',
    store: 'EngineError invalid-option',
    flavour: 'EngineError invalid-option',
  });
});

test('an engine that is not where it should be is told with its address', { skip }, async (t) => {
  const { context, page } = await openModule(browser, site);
  t.after(() => context.close());
  /** @param {string} pattern @param {Parameters<typeof page.route>[1]} handler */
  const loadWith = async (pattern, handler) => {
    await page.context().route(pattern, handler);
    const outcome = await page.evaluate(() => {
      const { module, outcome } = /** @type {any} */ (globalThis);
      return outcome(module.Auricle.load({ store: 'memory' }));
    });
    await page.context().unroute(pattern);
    return outcome;
  };
  assert.equal(await loadWith('**/engine/*.wasm', (route) => route.fulfill({ status: 404 })), 'EngineError unreachable');
  assert.equal(
    await loadWith('**/engine/*.wasm', (route) => route.fulfill({ contentType: 'text/html', body: '<!doctype html>' })),
    'EngineError unreachable',
  );
  assert.equal(await loadWith('**/worker/worker.js', (route) => route.fulfill({ status: 404 })), 'EngineError unreachable');
  // A server that does not know what WebAssembly is has the right bytes all the same.
  const plain = await loadWith('**/engine/*.wasm', async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, headers: { ...response.headers(), 'content-type': 'application/octet-stream' } });
  });
  assert.equal(plain, 'done');
});

test('a policy that forbids WebAssembly is told, and what to add to it', { skip }, async (t) => {
  const strict = await serveSite({}, { csp: "default-src 'self'" });
  t.after(() => strict.close());
  const { context, page } = await openModule(browser, strict);
  t.after(() => context.close());
  const message = await page.evaluate(() =>
    /** @type {any} */ (globalThis).module.Auricle.load().catch((/** @type {Error} */ error) => error.message),
  );
  assert.match(message, /add 'wasm-unsafe-eval' to its script-src/);
});

/**
 * Waits for something that no event tells of.
 *
 * @param {() => boolean} condition
 * @param {string} what
 */
async function waitFor(condition, what) {
  const deadline = Date.now() + 10_000;
  while (!condition()) {
    assert.ok(Date.now() < deadline, what);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

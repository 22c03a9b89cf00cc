/** A page with a loaded model. */

import { openPage } from './site.mjs';

/** @typedef {import('../../dist/types.js').TranscriptEvent} TranscriptEvent */

/**
 * Opens the empty page with the package as its `module`. Its `outcome` tells what becomes of a promise: `done`, or the class
 * and the code that it is rejected with.
 *
 * @param {import('playwright-core').Browser} browser
 * @param {{ origin: string }} site
 */
export async function openModule(browser, site) {
  const opened = await openPage(browser, site);
  await opened.page.evaluate(async () => {
    const page = /** @type {any} */ (globalThis);
    page.module = await import(/** @type {any} */ ('/auricle/index.js'));
    page.outcome = (/** @type {Promise<unknown>} */ promise) =>
      promise.then(
        () => 'done',
        ({ name, code }) => (typeof code === 'string' ? `${name} ${code}` : name),
      );
  });
  return opened;
}

/**
 * The same with a loaded model, the default one: the page's `auricle`. Its measurements are in `metrics`.
 *
 * @param {import('playwright-core').Browser} browser
 * @param {{ origin: string }} site
 * @param {{ flavour?: string, store?: string }} [options] For `Auricle.load`.
 */
export async function openAuricle(browser, site, options = {}) {
  const opened = await openModule(browser, site);
  await opened.page.evaluate(async (options) => {
    const page = /** @type {any} */ (globalThis);
    page.metrics = [];
    const onMetrics = (/** @type {unknown} */ record) => page.metrics.push(record);
    page.auricle = await page.module.Auricle.load({ onMetrics, ...options });
  }, options);
  const [worker] = opened.page.workers();
  return { ...opened, worker };
}

/**
 * Listens in the page: what it gives is the page's `listening`, and its events but for levels are in `events`.
 *
 * @param {import('playwright-core').Page} page
 * @param {object} [options] For `listen`.
 */
export async function listen(page, options = {}) {
  await page.evaluate(async (options) => {
    const page = /** @type {any} */ (globalThis);
    page.events = [];
    const onEvent = (/** @type {any} */ event) => {
      if (event.type === 'error') {
        const { name, code, message } = event.error;
        page.events.push({ type: 'error', error: { name, code, message } });
      } else if (event.type !== 'level') {
        page.events.push(event);
      }
    };
    page.listening = await page.auricle.listen({ onEvent, ...options });
  }, options);
}

/**
 * Waits until the page has had an event that is as wanted, and gives all until then.
 *
 * @param {import('playwright-core').Page} page
 * @param {{ type: string, code?: string }} wanted A type, and the code of its notice or error.
 * @returns {Promise<any[]>}
 */
export async function eventsUntil(page, wanted) {
  await page.waitForFunction(
    ({ type, code }) =>
      /** @type {any} */ (globalThis).events.some(
        (/** @type {any} */ event) =>
          event.type === type && (code === undefined || code === (event.notice ?? event.error)?.code),
      ),
    wanted,
    { timeout: 60_000 },
  );
  return await page.evaluate(() => /** @type {any} */ (globalThis).events);
}

/**
 * Notes the streams and audio contexts that the page opens.
 *
 * @param {import('playwright-core').Page} page
 */
export async function spy(page) {
  await page.evaluate(() => {
    const page = /** @type {any} */ (globalThis);
    page.opened = { tracks: [], contexts: [] };
    const getUserMedia = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    navigator.mediaDevices.getUserMedia = async (constraints) => {
      const stream = await getUserMedia(constraints);
      page.opened.tracks.push(...stream.getTracks());
      return stream;
    };
    page.AudioContext = class extends AudioContext {
      constructor(/** @type {AudioContextOptions} */ options) {
        super(options);
        page.opened.contexts.push(this);
      }
    };
  });
}

/**
 * Whether everything that the page had opened is closed.
 *
 * @param {import('playwright-core').Page} page
 */
export async function isClosed(page) {
  await page.waitForFunction(() => {
    const { tracks, contexts } = /** @type {any} */ (globalThis).opened;
    const ended = tracks.every((/** @type {any} */ track) => track.readyState === 'ended');
    return ended && contexts.every((/** @type {any} */ context) => context.state === 'closed');
  });
}

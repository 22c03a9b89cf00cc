/** The store in a Worker of a page, and what all that it gives must be like. */

import assert from 'node:assert/strict';

/**
 * @typedef {{ class?: string, name: string, message: string, code?: string, details?: Record<string, unknown> }} Failure
 *
 * @typedef {object} Outcome
 * @property {{ source: string, fetchedBytes: number, sha256: string, kind: string }} [obtained]
 * @property {Failure} [error]
 * @property {{ begins: number, totalBytes: number, length: number, sha256: string }} sink
 * @property {{ phase: string, loadedBytes: number, totalBytes: number, bytesPerSecond: number, source: string }[]} progress
 * @property {string[]} notices
 *
 * @typedef {{ name: string, url: string, sha256: string, bytes: number }} Source
 */

/** Errors that a download may end with, by class. */
const CODES = new Map([
  ['DownloadError', ['network', 'http-status', 'stalled', 'not-a-model', 'wrong-size', 'wrong-digest']],
  ['StoreError', ['quota-exceeded', 'storage-unavailable', 'evicted']],
]);

/** Quick retries, so that tests are quick; a slow machine is no stall. */
export const QUICK = { retryDelayMs: 1, stallTimeoutMs: 60_000 };

/** A Worker in a page. Puppeteer's pages, which are of Firefox, do as well as Playwright's. */
export class StoreWorker {
  /** @param {import('playwright-core').Page} page */
  constructor(page) {
    this.page = page;
  }

  /** Starts a Worker in the page; one that was there is ended first, whatever it is doing. */
  async start() {
    await this.page.evaluate(() => {
      const host = /** @type {any} */ (globalThis);
      host.worker?.terminate();
      host.asked = new Map();
      host.worker = new Worker('/store-worker.js', { type: 'module' });
      host.worker.onmessage = (/** @type {MessageEvent} */ { data: { id, got, ...answer } }) => {
        if (got !== undefined) {
          host.got(got);
          return;
        }
        host.asked.get(id)(answer);
      };
      host.worker.onerror = (/** @type {ErrorEvent} */ { message }) => {
        for (const resolve of host.asked.values()) {
          resolve({ error: { name: 'Error', message } });
        }
      };
    });
    return this;
  }

  /**
   * Has the Worker do something. Fails with what it throws.
   *
   * @param {string} method
   * @param {Record<string, unknown>} [parameters]
   * @param {string} [id]
   * @returns {Promise<any>}
   */
  async ask(method, parameters = {}, id = crypto.randomUUID()) {
    const { value, error } = await this.page.evaluate(
      ([id, method, parameters]) =>
        new Promise((resolve) => {
          const host = /** @type {any} */ (globalThis);
          host.asked.set(id, resolve);
          host.worker.postMessage({ id, method, parameters });
        }),
      /** @type {const} */ ([id, method, parameters]),
    );
    if (error !== undefined) {
      throw Object.assign(new Error(error.message), error);
    }
    return value;
  }

  /**
   * Obtains a file, and checks what holds whatever happens: a verified file or a typed error, and progress that never goes
   * back.
   *
   * @param {{ kind?: string, source: Source, options?: object, trouble?: string }} parameters
   * @param {string} [id]
   * @returns {Promise<Outcome>}
   */
  async obtain(parameters, id) {
    /** @type {Outcome} */
    const outcome = await this.ask('obtain', { ...parameters, options: { ...QUICK, ...parameters.options } }, id);
    const { obtained, error, sink, progress } = outcome;
    const { source } = parameters;
    let before = 0;
    for (const { loadedBytes, totalBytes, bytesPerSecond } of progress) {
      assert.ok(loadedBytes >= before && loadedBytes <= source.bytes, `${loadedBytes} bytes come after ${before}`);
      assert.equal(totalBytes, source.bytes);
      assert.ok(bytesPerSecond >= 0);
      before = loadedBytes;
    }
    if (obtained !== undefined) {
      assert.equal(obtained.sha256, source.sha256);
      assert.equal(sink.sha256, source.sha256, 'the sink has another file than was promised');
      assert.equal(sink.totalBytes, source.bytes);
      assert.equal(before, source.bytes, 'progress ends at the end');
    } else if (error?.name !== 'AbortError' && parameters.trouble !== 'throw') {
      assert.ok(CODES.get(error?.class ?? '')?.includes(error?.code ?? ''), `an error without a type: ${error?.message}`);
    }
    return outcome;
  }

  /**
   * Obtains a file that must come.
   *
   * @param {Parameters<StoreWorker['obtain']>[0]} parameters
   * @param {string} [id]
   */
  async obtained(parameters, id) {
    const { obtained, error, ...rest } = await this.obtain(parameters, id);
    assert.ok(obtained !== undefined, `${error?.code}: ${error?.message}`);
    return { obtained, ...rest };
  }

  /**
   * Obtains a file that must not come, and gives the error's code.
   *
   * @param {Parameters<StoreWorker['obtain']>[0]} parameters
   */
  async refused(parameters) {
    const { error } = await this.obtain(parameters);
    assert.ok(error !== undefined, 'it came');
    return error.code;
  }
}

/**
 * Opens a page with a Worker, in a context of its own, whose storage nobody else sees.
 *
 * @param {import('node:test').TestContext} t
 * @param {import('playwright-core').Browser} browser
 * @param {import('./fault-server.mjs').FaultServer} server
 */
export async function openStore(t, browser, server) {
  const context = await browser.newContext();
  t.after(() => context.close());
  return { context, store: await openTab(context, server) };
}

/**
 * Opens another tab of a context.
 *
 * @param {{ newPage: () => Promise<any> }} context
 * @param {import('./fault-server.mjs').FaultServer} server
 */
export async function openTab(context, server) {
  /** @type {import('playwright-core').Page} */
  const page = await context.newPage();
  await page.exposeFunction('got', (/** @type {number} */ bytes) => server.got(bytes));
  await page.goto(`${server.origin}/`);
  return await new StoreWorker(page).start();
}

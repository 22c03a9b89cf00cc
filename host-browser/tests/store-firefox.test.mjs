/** The store in Firefox: what it keeps files in, and what it does when connections die, are its own. */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import puppeteer from 'puppeteer-core';

import { FaultServer, random, randomFile } from './support/fault-server.mjs';
import { FIREFOX, unless } from './support/place.mjs';
import { openTab } from './support/store-worker.mjs';

const FILE = randomFile(1_000_000);

describe('the store in Firefox', { skip: unless('package', 'firefox') }, () => {
  /** @type {import('puppeteer-core').Browser} */
  let browser;
  /** @type {FaultServer} */
  let server;
  before(async () => {
    const executablePath = /** @type {string} */ (FIREFOX);
    browser = await puppeteer.launch({ browser: 'firefox', executablePath, headless: true });
    server = await new FaultServer(FILE).start();
  });
  after(async () => {
    await browser?.close();
    await server?.close();
  });

  for (const kind of ['opfs', 'cache', 'memory']) {
    test(`a download goes on where it is cut, and is kept (${kind})`, async () => {
      const store = await openTab(browser, server);
      const next = random(kind.length);
      const source = server.source();
      server.asked = [];
      server.plan = (_, index) => (index < 8 ? { cutAfter: Math.floor(next() * 150_000), reset: index % 2 === 0 } : {});
      const { obtained } = await store.obtained({ kind, source });
      assert.ok(obtained.fetchedBytes <= FILE.length * 1.05 + 8 * 64 * 1024, `${obtained.fetchedBytes} bytes`);
      assert.equal((await store.obtained({ kind, source })).obtained.source, 'store');
      assert.equal(await store.ask('verify', { kind, sha256: source.sha256 }), true);
      assert.equal(await store.ask('delete', { kind, sha256: source.sha256 }), true);
      await store.page.close();
    });
  }

  test('four tabs download a file once, and when the one that leads is gone, another goes on', async () => {
    const tabs = [];
    for (let tab = 0; tab < 4; tab += 1) {
      tabs.push(await openTab(browser, server));
    }
    const source = server.source();
    server.asked = [];
    server.plan = (_, index) => (index === 0 ? { stallAfter: 500_000 } : {});
    const reached = server.reached(500_000);
    tabs[0].obtain({ source }).catch(() => undefined);
    await reached;
    const others = tabs.slice(1).map((tab) => tab.obtained({ source }));
    await tabs[0].page.close();
    const sources = (await Promise.all(others)).map(({ obtained }) => obtained.source).sort();
    assert.deepEqual(sources, ['network', 'store', 'store']);
    assert.equal(server.asked.length, 2);
    assert.match(server.asked[1].range ?? '', /^bytes=\d{6,}-$/);
  });
});

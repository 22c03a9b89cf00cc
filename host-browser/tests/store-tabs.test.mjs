/** Many tabs, one download. */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { launch } from './support/chromium.mjs';
import { FaultServer, randomFile } from './support/fault-server.mjs';
import { unless } from './support/place.mjs';
import { openStore, openTab } from './support/store-worker.mjs';

const FILE = randomFile(2_000_000);
const HALF = 1_000_000;

describe('tabs', { skip: unless('package', 'chromium') }, () => {
  /** @type {import('playwright-core').Browser} */
  let browser;
  before(async () => {
    browser = await launch();
  });
  after(() => browser?.close());

  /**
   * Waits until so many tabs wait for the one that leads.
   *
   * @param {import('./support/store-worker.mjs').StoreWorker} tab
   * @param {number} count
   */
  async function waiting(tab, count) {
    const all = async (/** @type {number} */ count) => ((await navigator.locks.query()).pending ?? []).length >= count;
    await tab.page.waitForFunction(all, count, { polling: 20 });
  }

  /**
   * Tabs of one origin, and a server that gives half of the file, and the rest when it is let go on.
   *
   * @param {import('node:test').TestContext} t
   * @param {number} count
   */
  async function open(t, count) {
    const server = await new FaultServer(FILE).start();
    t.after(() => server.close());
    /** @type {() => void} */
    let goOn = () => undefined;
    const until = new Promise((resolve) => (goOn = () => resolve(undefined)));
    server.plan = () => ({ hold: { after: HALF, until } });
    const { context, store } = await openStore(t, browser, server);
    const tabs = [store];
    while (tabs.length < count) {
      tabs.push(await openTab(context, server));
    }
    return { server, tabs, goOn };
  }

  for (const kind of ['opfs', 'cache']) {
    test(`ten tabs download a file once, and all tell how far it is (${kind})`, async (t) => {
      const { server, tabs, goOn } = await open(t, 10);
      const source = server.source();
      const all = tabs.map((tab) => tab.obtained({ kind, source }, 'load'));
      const sources = ['network', 'other-tab'];
      await Promise.all(tabs.map((tab) => tab.ask('told', { name: 'load', sources })));
      goOn();
      const outcomes = await Promise.all(all);
      assert.equal(server.asked.length, 1);
      assert.equal(server.sentBytes, FILE.length);
      const leaders = outcomes.filter(({ obtained }) => obtained.source === 'network');
      assert.equal(leaders.length, 1);
      const others = outcomes.filter(({ obtained }) => obtained.source === 'store');
      assert.equal(others.length, 9);
      for (const { progress, obtained } of others) {
        assert.equal(obtained.fetchedBytes, 0);
        assert.ok(progress.some(({ source }) => source === 'other-tab'), 'a waiting tab was told nothing');
      }
    });
  }

  for (const end of /** @type {const} */ (['closed', 'crashed', 'Worker ended'])) {
    test(`when the tab that leads is gone (${end}), another takes over and goes on`, async (t) => {
      const { server, tabs } = await open(t, 4);
      server.plan = (_, index) => (index === 0 ? { stallAfter: HALF } : {});
      const source = server.source();
      const leader = tabs[0];
      const reached = server.reached(HALF);
      const led = leader.obtain({ source }).catch(() => undefined);
      await reached;
      const others = tabs.slice(1).map((tab) => tab.obtained({ source }));
      await waiting(leader, 3);
      if (end === 'closed') {
        await leader.page.close();
      } else if (end === 'crashed') {
        await leader.page.goto('chrome://crash').catch(() => undefined);
      } else {
        await leader.start();
      }
      const outcomes = await Promise.all(others);
      const sources = outcomes.map(({ obtained }) => obtained.source).sort();
      assert.deepEqual(sources, ['network', 'store', 'store']);
      assert.equal(server.asked.length, 2);
      assert.equal(server.asked[1].range, `bytes=${HALF}-`);
      assert.equal(server.sentBytes, FILE.length);
      if (end !== 'Worker ended') {
        await led;
      }
    });
  }

  test('a tab that no longer wants to wait need not', async (t) => {
    const { server, tabs, goOn } = await open(t, 2);
    const source = server.source();
    const reached = server.reached(HALF);
    const led = tabs[0].obtained({ source });
    await reached;
    const unwilling = tabs[1].obtain({ source }, 'unwilling');
    await waiting(tabs[1], 1);
    await tabs[1].ask('cancel', { name: 'unwilling' });
    assert.equal((await unwilling).error?.name, 'AbortError');
    goOn();
    assert.equal((await led).obtained.fetchedBytes, FILE.length);
  });

  test('two loads in one Worker are one download', async (t) => {
    const { server, tabs, goOn } = await open(t, 1);
    goOn();
    const source = server.source();
    const outcomes = await Promise.all([tabs[0].obtained({ source }), tabs[0].obtained({ source })]);
    assert.deepEqual(outcomes.map(({ obtained }) => obtained.source).sort(), ['network', 'store']);
    assert.equal(server.asked.length, 1);
  });
});

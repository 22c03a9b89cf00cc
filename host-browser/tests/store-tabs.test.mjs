/** Many tabs, one download. */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { launch } from './support/chromium.mjs';
import { FaultServer, randomFile } from './support/fault-server.mjs';
import { unless } from './support/place.mjs';
import { openStore, openTab } from './support/store-worker.mjs';

const FILE = randomFile(2_000_000);

/** What may be on its way when a tab dies. */
const ON_ITS_WAY_BYTES = 256 * 1024;

describe('tabs', { skip: unless('package', 'chromium') }, () => {
  /** @type {import('playwright-core').Browser} */
  let browser;
  before(async () => {
    browser = await launch();
  });
  after(() => browser?.close());

  /**
   * Tabs of one origin, and a server slow enough for them to meet.
   *
   * @param {import('node:test').TestContext} t
   * @param {number} count
   */
  async function open(t, count) {
    const server = await new FaultServer(FILE).start();
    t.after(() => server.close());
    server.plan = () => ({ bytesPerTick: 20_000 });
    const { context, store } = await openStore(t, browser, server);
    const tabs = [store];
    while (tabs.length < count) {
      tabs.push(await openTab(context, server));
    }
    return { server, tabs };
  }

  for (const kind of ['opfs', 'cache']) {
    test(`ten tabs download a file once, and all tell how far it is (${kind})`, async (t) => {
      const { server, tabs } = await open(t, 10);
      const source = server.source();
      const outcomes = await Promise.all(tabs.map((tab) => tab.obtained({ kind, source })));
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
      const source = server.source();
      const leader = tabs[0];
      const led = leader.obtain({ source }, 'led').catch(() => undefined);
      await leader.progressed('led', { source: 'network' });
      const others = tabs.slice(1).map((tab) => tab.obtained({ source }, 'waiting'));
      await leader.progressed('led', { loadedBytes: 800_000 });
      await tabs[1].progressed('waiting', { source: 'other-tab' });
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
      assert.match(server.asked[1].range ?? '', /^bytes=\d{6,}-$/);
      assert.ok(server.sentBytes <= FILE.length * 1.05 + ON_ITS_WAY_BYTES, `${server.sentBytes} bytes were sent`);
      if (end !== 'Worker ended') {
        await led;
      }
    });
  }

  test('a tab that no longer wants to wait need not', async (t) => {
    const { server, tabs } = await open(t, 2);
    const source = server.source();
    const led = tabs[0].obtained({ source }, 'led');
    await tabs[0].progressed('led', { source: 'network' });
    const waiting = tabs[1].obtain({ source }, 'waiting');
    await tabs[1].progressed('waiting', { source: 'other-tab' });
    await tabs[1].ask('cancel', { name: 'waiting' });
    assert.equal((await waiting).error?.name, 'AbortError');
    assert.equal((await led).obtained.fetchedBytes, FILE.length);
  });

  test('two loads in one Worker are one download', async (t) => {
    const { server, tabs } = await open(t, 1);
    const source = server.source();
    const outcomes = await Promise.all([tabs[0].obtained({ source }), tabs[0].obtained({ source })]);
    assert.deepEqual(outcomes.map(({ obtained }) => obtained.source).sort(), ['network', 'store']);
    assert.equal(server.asked.length, 1);
  });
});

/** Where files are kept, and what becomes of them when the browser lacks it, has no room, or takes them away. */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { launch } from './support/chromium.mjs';
import { FaultServer, randomFile } from './support/fault-server.mjs';
import { unless } from './support/place.mjs';
import { openStore } from './support/store-worker.mjs';

const FILE = randomFile(3_000_000);

describe('places', { skip: unless('package', 'chromium') }, () => {
  /** @type {import('playwright-core').Browser} */
  let browser;
  /** @type {FaultServer} */
  let server;
  before(async () => {
    browser = await launch();
    server = await new FaultServer(FILE).start();
  });
  after(async () => {
    await browser?.close();
    await server?.close();
  });

  /**
   * Lets this origin store no more than so much.
   *
   * @param {import('playwright-core').BrowserContext} context
   * @param {import('playwright-core').Page} page
   * @param {number} quotaSize
   */
  async function limit(context, page, quotaSize) {
    const session = await context.newCDPSession(page);
    await session.send('Storage.overrideQuotaForOrigin', { origin: /** @type {string} */ (server.origin), quotaSize });
  }

  test('each kind of store keeps a file as long as it says', async (t) => {
    for (const [kind, outlasts] of /** @type {const} */ ([['opfs', true], ['cache', true], ['memory', false]])) {
      const { store } = await openStore(t, browser, server);
      const source = server.source();
      assert.equal(await store.ask('kind', { kind }), kind);
      assert.equal((await store.obtained({ kind, source })).obtained.kind, kind);
      assert.equal((await store.obtained({ kind, source })).obtained.source, 'store');
      assert.equal(await store.ask('verify', { kind, sha256: source.sha256 }), true);
      assert.deepEqual(await store.ask('list', { kind }), [{ ...source, storedBytes: FILE.length, complete: true }]);
      await store.start();
      assert.equal(await store.ask('verify', { kind, sha256: source.sha256 }), outlasts);
      assert.equal(await store.ask('delete', { kind, sha256: source.sha256 }), outlasts);
      assert.deepEqual(await store.ask('list', { kind }), []);
      assert.equal(await store.ask('delete', { kind, sha256: source.sha256 }), false);
      assert.equal((await store.obtained({ kind, source })).obtained.source, 'network');
    }
  });

  test('where OPFS is missing the Cache API is used, and memory where that is missing too', async (t) => {
    const { store } = await openStore(t, browser, server);
    await store.ask('lack', { what: 'opfs' });
    assert.equal(await store.ask('kind'), 'cache');
    await assert.rejects(store.ask('kind', { kind: 'opfs' }), { class: 'StoreError', code: 'storage-unavailable' });
    await store.ask('lack', { what: 'caches' });
    assert.equal(await store.ask('kind'), 'memory');
    await assert.rejects(store.ask('kind', { kind: 'cache' }), { class: 'StoreError', code: 'storage-unavailable' });
    const source = server.source();
    const { obtained, notices } = await store.obtained({ source });
    assert.equal(obtained.kind, 'memory');
    assert.deepEqual(notices, ['memory-store']);
    assert.deepEqual((await store.obtained({ source })).notices, []);
  });

  test('where files cannot be renamed, the record tells that one is whole', async (t) => {
    const { store } = await openStore(t, browser, server);
    const source = server.source();
    await store.ask('lack', { what: 'move' });
    await store.obtained({ source });
    assert.deepEqual(await store.ask('files'), [`${source.sha256}.json`, `${source.sha256}.part`]);
    await store.start();
    assert.equal((await store.obtained({ source })).obtained.source, 'store');
    assert.equal((await store.ask('list'))[0].complete, true);
  });

  test('a store that is full is an error where it was asked for', async (t) => {
    for (const kind of ['opfs', 'cache']) {
      const { context, store } = await openStore(t, browser, server);
      await limit(context, store.page, 1_500_000);
      assert.equal(await store.refused({ kind, source: server.source() }), 'quota-exceeded', kind);
      assert.ok((await store.ask('list', { kind })).every((/** @type {any} */ { complete }) => !complete));
    }
  });

  test('a store that is full is replaced by memory where any will do, and nothing is fetched twice', async (t) => {
    for (const lacking of [undefined, 'opfs']) {
      const { context, store } = await openStore(t, browser, server);
      await limit(context, store.page, 1_500_000);
      if (lacking !== undefined) {
        await store.ask('lack', { what: lacking });
      }
      const source = server.source();
      const first = await store.obtained({ source });
      assert.equal(first.obtained.kind, 'memory');
      assert.deepEqual(first.notices, ['memory-store']);
      assert.equal(first.obtained.fetchedBytes, FILE.length);
      assert.equal(first.sink.begins, 1);
      const again = await store.obtained({ source });
      assert.deepEqual(again.obtained, { source: 'store', fetchedBytes: 0, sha256: source.sha256, kind: 'memory' });
    }
  });

  test('a file that was taken away comes again', async (t) => {
    const { store } = await openStore(t, browser, server);
    const source = server.source();
    await store.obtained({ source });
    await store.ask('deleteFiles');
    assert.deepEqual(await store.ask('list'), []);
    assert.equal((await store.obtained({ source })).obtained.source, 'network');
  });

  test('a file that is taken away while it is read, or while it comes, does no harm', async (t) => {
    const { store } = await openStore(t, browser, server);
    const source = server.source();
    await store.obtained({ source, trouble: 'delete' });
    await store.obtained({ source });
    await store.obtained({ source, trouble: 'delete' });
    await store.start();
    await store.obtained({ source });
    assert.equal(await store.ask('verify', { sha256: source.sha256 }), true);
  });

  test('a damaged file is found out and comes again', async (t) => {
    const { store } = await openStore(t, browser, server);
    const source = server.source();
    const name = `${source.sha256}.gguf`;
    await store.obtained({ source });
    await store.ask('damage', { name, at: 1_234_567, byte: FILE[1_234_567] ^ 1 });
    assert.equal(await store.ask('verify', { sha256: source.sha256 }), false);
    const damaged = await store.obtained({ source });
    assert.deepEqual([damaged.notices, damaged.sink.begins, damaged.obtained.source], [['corrupt'], 2, 'network']);

    await store.ask('damage', { name, cut: 1_000_000 });
    assert.equal((await store.ask('list'))[0].complete, false, 'a cut file is not whole, whatever its record says');
    assert.ok((await store.obtained({ source })).obtained.fetchedBytes > 0);

    await store.ask('damage', { name: `${source.sha256}.json`, cut: 20 });
    assert.equal((await store.obtained({ source })).obtained.source, 'network');
    assert.equal(await store.ask('verify', { sha256: source.sha256 }), true);
  });

  test('usage and quota are told', async (t) => {
    const { store } = await openStore(t, browser, server);
    await store.obtained({ source: server.source() });
    const usage = await store.ask('usage');
    assert.ok(usage.usageBytes >= FILE.length && usage.quotaBytes > usage.usageBytes, JSON.stringify(usage));
    assert.equal(typeof usage.persisted, 'boolean');
    assert.equal(usage.asked, usage.persisted, 'a Worker cannot ask');
  });
});

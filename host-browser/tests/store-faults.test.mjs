/** What servers do wrong, one by one, and what the store makes of it. */

import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';

import { launch } from './support/chromium.mjs';
import { FaultServer, randomFile } from './support/fault-server.mjs';
import { unless } from './support/place.mjs';
import { openStore } from './support/store-worker.mjs';

const FILE = randomFile(500_000);

describe('faults', { skip: unless('package', 'chromium') }, () => {
  /** @type {import('playwright-core').Browser} */
  let browser;
  /** @type {FaultServer} */
  let server;
  before(async () => {
    browser = await launch();
  });
  beforeEach(async () => {
    server = await new FaultServer(FILE).start();
  });
  after(() => browser?.close());

  /** @param {import('node:test').TestContext} t */
  async function open(t) {
    const own = server;
    t.after(() => own.close());
    return (await openStore(t, browser, server)).store;
  }

  test('a file comes once, and then from the store without a request', async (t) => {
    const store = await open(t);
    const source = server.source();
    const first = await store.obtained({ source });
    assert.deepEqual(first.obtained, { source: 'network', fetchedBytes: FILE.length, sha256: source.sha256, kind: 'opfs' });
    assert.equal(first.sink.begins, 1);
    await store.start();
    const second = await store.obtained({ source });
    assert.deepEqual(second.obtained, { source: 'store', fetchedBytes: 0, sha256: source.sha256, kind: 'opfs' });
    assert.ok(second.progress.every(({ phase, source }) => phase === 'verify' && source === 'store'));
    assert.equal(server.asked.length, 1);
    assert.deepEqual(await store.ask('files'), [`${source.sha256}.gguf`, `${source.sha256}.json`]);
    assert.deepEqual(await store.ask('list'), [{ ...source, storedBytes: FILE.length, complete: true }]);
  });

  test('206 appends, with Range and If-Range', async (t) => {
    const store = await open(t);
    server.plan = (_, index) => (index === 0 ? { cutAfter: 200_000 } : {});
    const { obtained, sink } = await store.obtained({ source: server.source() });
    assert.equal(sink.begins, 1);
    assert.equal(obtained.fetchedBytes, FILE.length);
    assert.deepEqual(server.asked.map(({ range, ifRange }) => [range, ifRange]), [
      [undefined, undefined],
      ['bytes=200000-', '"first"'],
    ]);
  });

  test('200 to a range begins anew', async (t) => {
    const store = await open(t);
    server.plan = (_, index) => (index === 0 ? { cutAfter: 200_000 } : { ignoreRange: true });
    const { obtained, sink } = await store.obtained({ source: server.source() });
    assert.equal(sink.begins, 2);
    assert.equal(obtained.fetchedBytes, FILE.length + 200_000);
  });

  test('a file that came whole but was not marked so is verified without a request', async (t) => {
    const store = await open(t);
    const source = server.source();
    server.plan = () => ({ cutAfter: 499_999 });
    assert.equal(await store.refused({ source, options: { attempts: 1 } }), 'network');
    // The last byte comes, and the tab dies before it can say that it was the last.
    await store.ask('damage', { name: `${source.sha256}.part`, at: 499_999, byte: FILE[499_999] });
    await store.start();
    const { obtained } = await store.obtained({ source });
    assert.equal(obtained.fetchedBytes, 0);
    assert.equal(server.asked.length, 1);
    assert.equal(await store.ask('verify', { sha256: source.sha256 }), true);
  });

  test('416 makes it ask for the whole file', async (t) => {
    const store = await open(t);
    server.plan = (_, index) => [{ cutAfter: 200_000 }, { status: 416 }][index] ?? {};
    const { sink } = await store.obtained({ source: server.source() });
    assert.equal(sink.begins, 2);
    assert.deepEqual(server.asked.map(({ range }) => range), [undefined, 'bytes=200000-', undefined]);
  });

  test('a file that is another by now begins anew, whether or not the server heeds If-Range', async (t) => {
    for (const ignoreIfRange of [false, true]) {
      const store = await open(t);
      const right = server.source();
      const kept = server.file;
      server.change();
      server.etag = '"old"';
      server.plan = (_, index) => {
        if (index === 0) {
          return { cutAfter: 200_000 };
        }
        server.file = kept;
        server.etag = '"new"';
        server.lastModified = 'Tue, 03 Nov 2026 00:00:00 GMT';
        return { ignoreIfRange };
      };
      const { sink, obtained } = await store.obtained({ source: right });
      assert.equal(sink.begins, 2);
      assert.ok(obtained.fetchedBytes <= FILE.length + 400_000);
      server.asked = [];
      await store.ask('delete', { sha256: right.sha256 });
    }
  });

  test('parts of two versions that nothing tells apart are found out, and the file begins anew', async (t) => {
    const store = await open(t);
    const right = server.source();
    const kept = server.file;
    server.change();
    const untold = { 'etag': undefined, 'last-modified': undefined };
    server.plan = (_, index) => {
      if (index > 0) {
        server.file = kept;
      }
      return index === 0 ? { cutAfter: 200_000, headers: untold } : { headers: untold };
    };
    const { sink, notices } = await store.obtained({ source: right });
    assert.equal(sink.begins, 2);
    assert.ok(notices.includes('corrupt'));
  });

  test('a part that begins elsewhere is not appended', async (t) => {
    const store = await open(t);
    const headers = { 'content-range': `bytes 100000-499999/500000` };
    server.plan = (_, index) => [{ cutAfter: 200_000 }, { headers }][index] ?? {};
    const { sink } = await store.obtained({ source: server.source() });
    assert.equal(sink.begins, 2);
  });

  /** @type {[string, string, import('./support/fault-server.mjs').Fault][]} */
  const REFUSED = [
    ['a page by its type', 'not-a-model', { headers: { 'content-type': 'text/html; charset=utf-8' } }],
    ['a page by its content', 'not-a-model', { body: Buffer.from('\n<!DOCTYPE html><title>Log in</title>'), chunked: true }],
    ['a Git LFS pointer', 'not-a-model', { body: Buffer.from('version https://git-lfs.github.com/spec/v1'), chunked: true }],
    ['a file of another length', 'wrong-size', { body: FILE.subarray(1) }],
    ['a file that ends early without saying so', 'wrong-size', { body: FILE.subarray(0, 300_000), chunked: true }],
    ['a file that goes on', 'wrong-size', { body: Buffer.concat([FILE, FILE]), chunked: true }],
    ['a wrong byte', 'wrong-digest', { body: Buffer.from(FILE.map((byte, at) => (at === 300_000 ? byte ^ 1 : byte))) }],
    ['a file that is not there', 'http-status', { status: 404 }],
    ['a server that is always busy', 'http-status', { status: 503 }],
    ['a server that is silent', 'stalled', { stallAfter: 0 }],
    ['a server that falls silent', 'stalled', { stallAfter: 100_000, ignoreRange: true }],
    ['a server that always cuts', 'network', { cutAfter: 0 }],
  ];
  for (const [what, code, fault] of REFUSED) {
    // Where anything else is wrong, a slow machine must not be taken for a silent server.
    const options = { attempts: 3, ...(code === 'stalled' && { stallTimeoutMs: 100 }) };
    test(`${what} is refused as ${code}, and nothing of it is taken for a model`, async (t) => {
      const store = await open(t);
      server.plan = () => fault;
      const source = server.source();
      assert.equal(await store.refused({ source, options }), code);
      assert.equal(await store.ask('verify', { sha256: source.sha256 }), false);
      assert.ok((await store.ask('list')).every((/** @type {any} */ { complete }) => !complete));
      // And once the server is right again, so is the file.
      server.plan = () => ({});
      await store.obtained({ source });
    });
  }

  test('a page in place of the rest leaves what has come as it is', async (t) => {
    const store = await open(t);
    const page = Buffer.from('<html><title>Log in</title></html>');
    server.plan = (_, index) => [{ cutAfter: 200_000 }, { body: page, chunked: true, ignoreRange: true }][index] ?? {};
    const source = server.source();
    assert.equal(await store.refused({ source }), 'not-a-model');
    const { obtained } = await store.obtained({ source });
    assert.equal(obtained.fetchedBytes, 300_000);
  });

  test('a redirect is followed, also in the middle', async (t) => {
    const store = await open(t);
    server.plan = (_, index) => (index === 0 ? { cutAfter: 200_000 } : {});
    const { obtained } = await store.obtained({ source: server.source('/moved/model.gguf') });
    assert.equal(obtained.fetchedBytes, FILE.length);
  });

  test('another origin that allows no If-Range and shows no Content-Range is asked without and believed', async (t) => {
    server.csp = '';
    const store = await open(t);
    const other = await new FaultServer(FILE).start();
    t.after(() => other.close());
    other.shared = true;
    other.plan = (_, index) => (index === 0 ? { cutAfter: 200_000 } : {});
    server.reached(200_000).then(() => other.got(200_000));
    const { obtained, sink } = await store.obtained({ source: other.source() });
    assert.equal(sink.begins, 1);
    assert.equal(obtained.fetchedBytes, FILE.length);
    assert.deepEqual(other.asked.map(({ range, ifRange }) => [range, ifRange]), [
      [undefined, undefined],
      ['bytes=200000-', undefined],
    ]);
  });

  test('cancelling throws the reason, keeps what has come, and the next goes on', async (t) => {
    const store = await open(t);
    server.plan = () => ({ stallAfter: 200_000 });
    const source = server.source();
    const reached = server.reached(200_000);
    const outcome = store.obtain({ source }, 'cancelled');
    await reached;
    await store.ask('cancel', { name: 'cancelled' });
    assert.equal((await outcome).error?.name, 'AbortError');
    server.plan = () => ({});
    const { obtained } = await store.obtained({ source });
    assert.equal(obtained.fetchedBytes, FILE.length - 200_000);
  });

  test('what the sink throws is thrown on, once the file is known to be right, and it is kept', async (t) => {
    const store = await open(t);
    const source = server.source();
    const { error } = await store.obtain({ source, trouble: 'throw' });
    assert.equal(error?.message, 'the sink is full');
    assert.equal((await store.obtained({ source })).obtained.source, 'store');
    // Where it is wrong, that is why the sink could not take it.
    await store.ask('delete', { sha256: source.sha256 });
    server.plan = () => ({ body: Buffer.alloc(FILE.length) });
    const wrong = await store.obtain({ source, trouble: 'throw' });
    assert.equal(wrong.error?.code, 'wrong-digest');
  });

  test('a source that makes no sense is an error', async (t) => {
    const store = await open(t);
    const source = server.source();
    for (const wrong of [{ sha256: 'abc' }, { bytes: 0 }, { bytes: 1.5 }, { url: 'model.gguf' }]) {
      await assert.rejects(
        store.ask('attempt', { source: { ...source, ...wrong } }),
        (/** @type {any} */ error) => error.class === 'EngineError' && error.code === 'invalid-option',
        JSON.stringify(wrong),
      );
    }
  });
});

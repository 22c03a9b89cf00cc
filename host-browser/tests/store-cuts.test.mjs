/** Downloads that are cut and worse, at random points: each ends in a verified file or a typed error. */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { launch } from './support/chromium.mjs';
import { FaultServer, random, randomFile } from './support/fault-server.mjs';
import { unless } from './support/place.mjs';
import { openStore } from './support/store-worker.mjs';

const FILE = randomFile(2_000_000);

/** The most that a cut may cost: what the browser reads at a time. */
const CHUNK_BYTES = 64 * 1024;

/** A server that is silent for so long has stalled; even a busy machine answers within it, and a stall is soon over. */
const STALL_TIMEOUT_MS = 500;

/** How much more than the file may be fetched, beside what cuts cost. */
const MARGIN = 1.05;

describe('cuts', { skip: unless('package', 'chromium') }, () => {
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

  for (const kind of ['opfs', 'cache', 'memory']) {
    test(`40 cuts at random points cost at most a chunk each (${kind})`, async (t) => {
      const { store } = await openStore(t, browser, server);
      const next = random(kind.length);
      const source = server.source();
      let cuts = 0;
      let downloads = 0;
      while (cuts < 40) {
        let cutsLeft = 8;
        server.asked = [];
        server.sentBytes = 0;
        server.plan = ({ range }) => {
          const from = Number(/\d+/.exec(range ?? '0')?.[0]);
          const reset = next() < 0.3;
          const cutAfter = Math.floor(next() * Math.min(FILE.length - from, 600_000));
          return cutsLeft-- > 0 ? { cutAfter, reset } : {};
        };
        const { obtained } = await store.obtained({ kind, source });
        const cut = server.asked.length - 1;
        const most = MARGIN * FILE.length + cut * CHUNK_BYTES;
        assert.ok(obtained.fetchedBytes <= most, `${obtained.fetchedBytes} bytes with ${cut} cuts`);
        assert.ok(server.sentBytes <= most, `${server.sentBytes} bytes were sent with ${cut} cuts`);
        assert.ok(server.asked.slice(1).every(({ range }) => range !== undefined), 'each went on where it was cut');
        assert.equal(await store.ask('delete', { kind, sha256: source.sha256 }), true);
        cuts += cut;
        downloads += 1;
      }
      t.diagnostic(`${cuts} cuts in ${downloads} downloads`);
    });
  }

  test('a download goes on in another Worker from where each cut left it', async (t) => {
    const { store } = await openStore(t, browser, server);
    const next = random(7);
    const source = server.source();
    for (const kind of ['opfs', 'cache']) {
      server.asked = [];
      server.plan = () => ({ cutAfter: 100_000 + Math.floor(next() * 200_000) });
      let workers = 0;
      let last;
      do {
        await store.start();
        workers += 1;
        const sent = server.sentBytes;
        last = await store.obtain({ kind, source, options: { attempts: 1 } });
        if (last.error !== undefined) {
          assert.equal(last.error.code, 'network');
          const [stored] = await store.ask('list', { kind });
          assert.equal(stored.complete, false);
          assert.ok(stored.storedBytes > 0 && stored.storedBytes < source.bytes);
          assert.equal(await store.ask('verify', { kind, sha256: source.sha256 }), false, 'a part is no model');
        } else {
          assert.ok(server.sentBytes - sent < 400_000, 'only the rest was sent');
        }
      } while (last.error !== undefined);
      assert.ok(workers >= 5, `it took ${workers} Workers`);
      const received = server.asked.map(({ range }) => Number(/\d+/.exec(range ?? '0')?.[0]));
      assert.deepEqual(received, [...received].sort((a, b) => a - b), 'each begins further on');
      assert.equal(await store.ask('verify', { kind, sha256: source.sha256 }), true);
    }
  });

  test('100 downloads with faults of every kind end in a verified file or a typed error', async (t) => {
    const { store } = await openStore(t, browser, server);
    const small = await new FaultServer(randomFile(200_000, 2)).start();
    t.after(() => small.close());
    const tab = await openStore(t, browser, small);
    const next = random(20_261_125);
    /** @type {Map<string, number>} */
    const endings = new Map();
    const right = small.file;
    for (let round = 0; round < 100; round += 1) {
      small.plan = () => fault(next, small);
      const kind = ['opfs', 'opfs', 'cache', 'memory'][Math.floor(next() * 4)];
      const source = { ...small.source('/model.gguf'), ...(next() < 0.2 && { url: `${small.origin}/moved/model.gguf` }) };
      // The store lives on from round to round, with whatever the last one left.
      const { obtained, error } = await tab.store.obtain({ kind, source, options: { attempts: 3, stallTimeoutMs: STALL_TIMEOUT_MS } });
      const ending = error?.code ?? 'verified';
      endings.set(ending, (endings.get(ending) ?? 0) + 1);
      if (obtained !== undefined && next() < 0.8) {
        await tab.store.ask('delete', { kind, sha256: source.sha256 });
      }
      small.file = right;
    }
    t.diagnostic(JSON.stringify(Object.fromEntries(endings)));
    assert.ok((endings.get('verified') ?? 0) >= 20, 'some come through');
    assert.ok(endings.size >= 5, 'and some do not, each in its way');
    await store.page.close();
  });
});

/**
 * Something that goes wrong, or nothing.
 *
 * @param {() => number} next
 * @param {FaultServer} server
 * @returns {import('./support/fault-server.mjs').Fault}
 */
function fault(next, server) {
  const somewhere = Math.floor(next() * server.file.length);
  const flipped = Buffer.from(server.file);
  flipped[somewhere] ^= 1;
  /** @type {import('./support/fault-server.mjs').Fault[]} */
  const faults = [
    { cutAfter: somewhere },
    { cutAfter: somewhere, reset: true },
    { cutAfter: somewhere, atOnce: true },
    { cutAfter: somewhere, atOnce: true, reset: true },
    { cutAfter: somewhere, chunked: true },
    { cutAfter: somewhere, ignoreRange: true },
    { stallAfter: somewhere },
    { status: 503 },
    { status: 416 },
    { status: 404 },
    { body: flipped },
    { body: server.file.subarray(0, somewhere), chunked: true },
    { body: Buffer.concat([server.file, flipped]), chunked: true },
    { body: Buffer.from('<!doctype html><title>Log in</title>'), headers: { 'content-type': 'text/html' } },
    { headers: { 'content-range': `bytes ${somewhere}-${server.file.length - 1}/${server.file.length}` } },
    { headers: { 'etag': `"${somewhere}"` }, cutAfter: somewhere },
  ];
  return next() < 0.5 ? {} : faults[Math.floor(next() * faults.length)];
}

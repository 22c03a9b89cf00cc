/** A server that cuts, stalls, lies and redirects, beside the page and the Worker that ask it. */

import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { EventEmitter, once } from 'node:events';
import { createServer } from 'node:http';
import { join } from 'node:path';

import { STRICT_CSP } from '../../scripts/server.mjs';
import { DIST, testdata } from './place.mjs';

/**
 * @typedef {object} Fault What is wrong with an answer; nothing, where nothing is.
 * @property {number} [cutAfter] The connection ends after so many bytes of the body, once the store has them: when one
 *   dies, Chromium drops what it has not given yet.
 * @property {boolean} [atOnce] It ends whether the store has them or not.
 * @property {boolean} [reset] It is reset then, and what is still on its way is lost.
 * @property {number} [stallAfter] Nothing more comes after so many bytes, and the connection stays.
 * @property {{ after: number, until: Promise<unknown> }} [hold] After so many bytes, it waits for this before it goes on.
 * @property {boolean} [ignoreRange] The whole file comes, whatever was asked for.
 * @property {boolean} [ignoreIfRange] A part comes, though the file is another by now.
 * @property {number} [status] This status, and a line of text.
 * @property {Record<string, string | undefined>} [headers] In place of the right ones.
 * @property {Buffer} [body] In place of the file.
 * @property {boolean} [chunked] Without a length.
 *
 * @typedef {{ method: string, path: string, range?: string, ifRange?: string }} Asked
 */

/** The empty page, the Worker, and what it needs. */
const FILES = new Map([
  ['/', ['text/html', new URL('../pages/index.html', import.meta.url).pathname]],
  ['/store-worker.js', ['text/javascript', new URL('../pages/store-worker.js', import.meta.url).pathname]],
  ['/shim/auricle_shim.js', ['text/javascript', join(DIST, 'shim/auricle_shim.js')]],
  ['/shim/auricle_shim_bg.wasm', ['application/wasm', join(DIST, 'shim/auricle_shim_bg.wasm')]],
  ['/jfk.wav', ['audio/wav', testdata('jfk.wav')]],
]);

/** How much is written at a time. */
const WRITE_BYTES = 16 * 1024;

export class FaultServer {
  /** @type {Asked[]} Requests for the file, in order. */
  asked = [];
  /** Bytes of bodies that were sent. */
  sentBytes = 0;
  etag = '"first"';
  lastModified = 'Sun, 01 Nov 2026 00:00:00 GMT';
  /** The policy that its pages are under. */
  csp = STRICT_CSP;
  /** Whether pages of other origins may ask: with no header that needs permission, and seeing none that needs it. */
  shared = false;
  /** @type {(asked: Asked, index: number) => Fault} What is wrong with each answer. */
  plan = () => ({});

  /** Tells how much of the file the store has. */
  #got = new EventEmitter().setMaxListeners(0);

  /** @param {Buffer} file */
  constructor(file) {
    this.file = file;
    this.server = createServer((request, response) => {
      this.#answer(request, response).catch(() => response.destroy());
    });
  }

  async start() {
    await new Promise((resolve) => this.server.listen(0, '127.0.0.1', () => resolve(undefined)));
    const { port } = /** @type {import('node:net').AddressInfo} */ (this.server.address());
    this.origin = `http://localhost:${port}`;
    return this;
  }

  /** @returns {Promise<void>} */
  close() {
    return new Promise((resolve) => {
      this.server.close(() => resolve());
      this.server.closeAllConnections();
    });
  }

  /**
   * What the store is to obtain.
   *
   * @param {string} [path]
   */
  source(path = '/model.gguf') {
    const sha256 = createHash('sha256').update(this.file).digest('hex');
    return { name: 'random', url: `${this.origin}${path}`, sha256, bytes: this.file.length };
  }

  /**
   * The store has so much of the file.
   *
   * @param {number} bytes
   */
  got(bytes) {
    this.#got.emit(String(bytes));
  }

  /**
   * Waits until the store has so much of the file.
   *
   * @param {number} bytes
   */
  async reached(bytes) {
    await once(this.#got, String(bytes));
  }

  /** Another version of the file, of the same length. */
  change() {
    this.file = Buffer.from(this.file.map((byte) => byte ^ 0x55));
    this.etag = '"second"';
    this.lastModified = 'Mon, 02 Nov 2026 00:00:00 GMT';
  }

  /**
   * @param {import('node:http').IncomingMessage} request
   * @param {import('node:http').ServerResponse} response
   */
  async #answer(request, response) {
    const path = request.url ?? '/';
    if (this.csp !== '') {
      response.setHeader('content-security-policy', this.csp);
    }
    if (request.method === 'OPTIONS') {
      response.writeHead(403).end();
      return;
    }
    if (this.shared) {
      response.setHeader('access-control-allow-origin', '*');
    }
    const known = FILES.get(path);
    if (known !== undefined) {
      response.setHeader('content-type', known[0]).end(await readFile(known[1]));
      return;
    }
    if (path.startsWith('/moved/')) {
      response.writeHead(302, { location: path.slice('/moved'.length) }).end();
      return;
    }
    if (!path.startsWith('/model')) {
      response.writeHead(404).end();
      return;
    }
    const { range, 'if-range': ifRange } = request.headers;
    const asked = { method: request.method ?? '', path, range, ifRange: /** @type {string | undefined} */ (ifRange) };
    const fault = this.plan(asked, this.asked.length);
    this.asked.push(asked);
    if (fault.status !== undefined) {
      response.writeHead(fault.status, { 'content-type': 'text/plain', ...fault.headers }).end('Not now.\n');
      return;
    }
    await this.#send(response, asked, fault);
  }

  /**
   * @param {import('node:http').ServerResponse} response
   * @param {Asked} asked
   * @param {Fault} fault
   */
  async #send(response, { range, ifRange }, fault) {
    const file = fault.body ?? this.file;
    const unchanged = fault.ignoreIfRange || ifRange === undefined || [this.etag, this.lastModified].includes(ifRange);
    const from = fault.ignoreRange || !unchanged ? undefined : /^bytes=(\d+)-$/.exec(range ?? '')?.[1];
    /** @type {Record<string, string | undefined>} */
    const headers = { 'content-type': 'application/octet-stream', 'etag': this.etag, 'last-modified': this.lastModified };
    if (from !== undefined && Number(from) >= file.length) {
      response.writeHead(416, { 'content-range': `bytes */${file.length}` }).end();
      return;
    }
    const body = file.subarray(Number(from ?? 0));
    if (!fault.chunked) {
      headers['content-length'] = String(body.length);
    }
    if (from !== undefined) {
      headers['content-range'] = `bytes ${from}-${file.length - 1}/${file.length}`;
    }
    const right = Object.entries({ ...headers, ...fault.headers }).filter(([, value]) => value !== undefined);
    response.writeHead(from === undefined ? 200 : 206, Object.fromEntries(right));
    response.flushHeaders();

    const first = Number(from ?? 0);
    const end = Math.min(fault.cutAfter ?? Infinity, fault.stallAfter ?? Infinity, body.length);
    const arrived = this.reached(first + end);
    const stops = [fault.hold?.after ?? end, end].sort((a, b) => a - b);
    for (let at = 0; at < end && !response.destroyed; ) {
      const stop = Math.min(at + WRITE_BYTES, stops.find((stop) => stop > at) ?? end);
      await new Promise((resolve) => response.write(body.subarray(at, stop), resolve));
      this.sentBytes += stop - at;
      at = stop;
      if (at === fault.hold?.after) {
        await fault.hold.until;
      }
    }
    // The store looks at the first bytes before it gives any.
    if (fault.cutAfter !== undefined && !fault.atOnce && end > (first > 0 ? 0 : 63)) {
      await Promise.race([arrived, once(response, 'close')]);
    }
    if (fault.cutAfter !== undefined && fault.reset) {
      response.socket?.resetAndDestroy();
    } else if (fault.cutAfter !== undefined) {
      response.socket?.end();
    } else if (fault.stallAfter === undefined) {
      response.end();
    }
  }
}

/**
 * Random numbers from 0 to 1, the same for the same seed (mulberry32).
 *
 * @param {number} seed
 */
export function random(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/**
 * A file like a model, in that it begins like one and is otherwise without pattern.
 *
 * @param {number} bytes
 * @param {number} [seed]
 */
export function randomFile(bytes, seed = 1) {
  const next = random(seed);
  const file = Buffer.from(Uint8Array.from({ length: bytes }, () => next() * 256));
  file.write('GGUF');
  return file;
}

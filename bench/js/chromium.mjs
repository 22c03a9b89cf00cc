/** A side in Chromium: serves the page and the files on this machine, and passes messages to the page's Worker. */

import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname } from 'node:path';

import { chromium } from 'playwright-core';

import { commandLine, serve } from './lines.mjs';

const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

const HERE = new URL('./', import.meta.url);

const PAGE = '<!doctype html><meta charset="utf-8"><title>Auricle benchmark</title>';

/** @type {Record<string, string>} */
const TYPES = { '.js': 'text/javascript', '.mjs': 'text/javascript', '.json': 'application/json', '.wasm': 'application/wasm' };

/** Files outside this folder that the page may read, by the path they are served at. */
/** @type {Map<string, string>} */
const shared = new Map();

/**
 * Lets the page read a file, and gives the path to fetch it by.
 *
 * @param {string | undefined} file
 * @returns {string | undefined}
 */
function share(file) {
  if (file === undefined) {
    return undefined;
  }
  const path = `/shared/${encodeURIComponent(file)}`;
  shared.set(path, file);
  return path;
}

/** Where the component is, as this folder's scripts name it from the root of the server. */
const ENGINE = '/host-browser/dist/engine/';

/** Headers that isolate a page, so that it may have threads. */
const ISOLATION = { 'cross-origin-opener-policy': 'same-origin', 'cross-origin-embedder-policy': 'require-corp' };

/** What every answer has: nothing, as with an ordinary server, unless a peer's threads need more. */
const headers = new Headers();

/** Serves this folder, the component and what is shared. */
const server = createServer(async (request, response) => {
  response.setHeaders(headers);
  const path = new URL(request.url ?? '/', 'http://localhost').pathname;
  if (path === '/') {
    response.setHeader('content-type', 'text/html').end(PAGE);
    return;
  }
  // `URL` has resolved every `..`, so that nothing above this folder can be named.
  const file = shared.get(path) ?? new URL(path.startsWith(ENGINE) ? `../..${path}` : `.${path}`, HERE);
  try {
    const bytes = await readFile(file);
    response.setHeader('content-type', TYPES[extname(path)] ?? 'application/octet-stream').end(bytes);
  } catch {
    response.writeHead(404).end();
  }
});

/**
 * Sends a message to the page's Worker and waits for the answer.
 *
 * @param {import('playwright-core').Page} page
 * @param {unknown} message
 * @returns {Promise<any>}
 */
async function ask(page, message) {
  const answer = await page.evaluate((message) => {
    const worker = (/** @type {any} */ (window).worker ??= new Worker('worker.mjs', { type: 'module' }));
    return new Promise((resolve) => {
      worker.onmessage = (/** @type {MessageEvent} */ { data }) => resolve(data);
      worker.onerror = (/** @type {ErrorEvent} */ { message }) => resolve({ error: message });
      worker.postMessage(message);
    });
  }, message);
  if (answer.error !== undefined) {
    throw new Error(answer.error);
  }
  return answer.value;
}

/** @type {import('playwright-core').Browser | undefined} */
let browser;

await serve(async () => {
  const { chromium: executablePath, ...options } = commandLine();
  if (Number(options.threads) > 1) {
    Object.entries(ISOLATION).forEach(([name, value]) => headers.set(name, value));
  }
  await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)));
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  browser = await chromium.launch({ executablePath, args: FLAGS });
  const page = await browser.newPage();
  await page.goto(`http://127.0.0.1:${port}/`);
  const files = { model: share(options.model), encoder: share(options.encoder), decoder: share(options.decoder) };
  const ready = await ask(page, { ...options, ...files });
  ready.versions['chromium'] = browser.version();
  return { ready, transcribe: (clip) => ask(page, share(clip)) };
});
await browser?.close();
server.close();

/**
 * Keeps the page's own files, so that it opens without a network. What they are, and their digests, `scripts/demo.mjs`
 * writes in front of this: another version of the page is another service worker.
 *
 * Models are none of its business: `auricle` keeps them, and its requests pass through.
 */

/** SHA-256 of each file of this version, in hexadecimal, by its path from the page's folder. */
declare const FILES: Readonly<Record<string, string>>;
/** Digest of all of that. */
declare const VERSION: string;

/** TypeScript takes `self` for that of any kind of Worker. */
const worker = self as unknown as ServiceWorkerGlobalScope;

/** An origin can have several such pages, in different folders. */
const CACHES = `auricle-demo ${worker.registration.scope} `;
const CACHE = CACHES + VERSION;

/** As in `index.html`. Where the server sends none, Workers have it from here: they do not inherit the page's. */
const POLICY =
  "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'";

worker.addEventListener('install', (event) => event.waitUntil(install()));
worker.addEventListener('activate', (event) => event.waitUntil(activate()));

worker.addEventListener('message', (event) => {
  if (event.data === 'skip-waiting') {
    event.waitUntil(worker.skipWaiting());
  } else if (event.data === 'shell') {
    const [port] = event.ports;
    event.waitUntil(report().then((report) => port?.postMessage(report)));
  }
});

worker.addEventListener('fetch', (event) => {
  const path = pathOf(event.request);
  if (path !== undefined) {
    event.respondWith(stored(path).then((response) => response ?? fetch(event.request)));
  }
});

/** All files or none: a version is never made of two. */
async function install(): Promise<void> {
  const cache = await caches.open(CACHE);
  await Promise.all(
    Object.entries(FILES).map(async ([path, digest]) => {
      const url = urlOf(path);
      // What the browser's own cache has is asked for again, which costs little where it is still the same.
      const response = await fetch(url, { cache: 'no-cache' });
      const bytes = await response.arrayBuffer();
      if (!response.ok || (await sha256(bytes)) !== digest) {
        throw new Error(`${path} is not that of version ${VERSION}`);
      }
      await cache.put(url, kept(response, bytes));
    }),
  );
}

async function activate(): Promise<void> {
  for (const name of await caches.keys()) {
    if (name.startsWith(CACHES) && name !== CACHE) {
      await caches.delete(name);
    }
  }
  // The page that registered it need not be loaded again to be kept.
  await worker.clients.claim();
}

/** As `ShellReport` in `page/shell.ts`. */
async function report(): Promise<{ version: string; files: number; stored: number }> {
  const keys = new Set(await storedUrls());
  const paths = Object.keys(FILES);
  return { version: VERSION, files: paths.length, stored: paths.filter((path) => keys.has(urlOf(path))).length };
}

/** The addresses that are stored: none where storage has been taken away. */
async function storedUrls(): Promise<string[]> {
  try {
    const cache = await caches.open(CACHE);
    return (await cache.keys()).map(({ url }) => url);
  } catch {
    return [];
  }
}

/** The path of a request from the page's folder, if it is one of the files. */
function pathOf({ method, url }: Request): string | undefined {
  const { origin, pathname } = new URL(url);
  const scope = new URL(worker.registration.scope);
  if (method !== 'GET' || origin !== scope.origin || !pathname.startsWith(scope.pathname)) {
    return undefined;
  }
  const path = pathname.slice(scope.pathname.length) || 'index.html';
  return path in FILES ? path : undefined;
}

function urlOf(path: string): string {
  return new URL(path, worker.registration.scope).href;
}

async function stored(path: string): Promise<Response | undefined> {
  try {
    const cache = await caches.open(CACHE);
    return await cache.match(urlOf(path));
  } catch {
    // Storage can be taken away at any time: the network has the same.
    return undefined;
  }
}

/** The same answer, to be kept: of its own address even where the server redirected, and with a policy. */
function kept(response: Response, bytes: ArrayBuffer): Response {
  const headers = new Headers(response.headers);
  // The bytes are no longer compressed.
  headers.delete('content-encoding');
  headers.delete('content-length');
  if (!headers.has('content-security-policy')) {
    headers.set('content-security-policy', POLICY);
  }
  return new Response(bytes, { headers });
}

async function sha256(bytes: ArrayBuffer): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

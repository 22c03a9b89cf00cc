/** A static server on this machine, for the demo and the tests. Like an ordinary host, it sends no COOP and no COEP. */

import { createServer } from 'node:http';

import sirv from 'sirv';

/** The strictest policy under which everything works; README.md tells it. */
export const STRICT_CSP = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'";

/**
 * @typedef {object} Options
 * @property {string} [csp] The policy that is sent along; the strict one unless given, and none if empty.
 * @property {number} [port] Any free one unless given.
 * @property {Record<string, string>} [headers] Sent with everything.
 *
 * @typedef {object} Served
 * @property {string} origin Its address, without a slash at the end.
 * @property {string[]} requests The paths that were asked for, in order.
 * @property {() => Promise<void>} close Ends it, and every connection.
 */

/**
 * Serves folders, each under a path that begins and ends with a slash; where two have a file, the longer path wins.
 * Changed and new files are seen.
 *
 * @param {Record<string, string>} folders
 * @param {Options} [options]
 * @returns {Promise<Served>}
 */
export async function serve(folders, { csp = STRICT_CSP, port = 0, headers = {} } = {}) {
  const mounts = Object.entries(folders)
    .sort(([a], [b]) => b.length - a.length)
    .map(([path, folder]) => ({ path, handle: sirv(folder, { dev: true, etag: true }) }));
  /** @type {string[]} */
  const requests = [];

  const server = createServer((request, response) => {
    const url = request.url ?? '/';
    requests.push(url);
    response.setHeader('x-content-type-options', 'nosniff');
    if (csp !== '') {
      response.setHeader('content-security-policy', csp);
    }
    for (const [name, value] of Object.entries(headers)) {
      response.setHeader(name, value);
    }
    if (url.split('?')[0].endsWith('.gguf')) {
      response.setHeader('content-type', 'application/octet-stream');
    }
    const candidates = mounts.filter(({ path }) => url.startsWith(path));
    const next = () => {
      const mount = candidates.shift();
      if (mount === undefined) {
        response.writeHead(404, { 'content-type': 'text/plain' }).end('There is no such file.\n');
        return;
      }
      request.url = `/${url.slice(mount.path.length)}`;
      mount.handle(request, response, next);
    };
    next();
  });
  await new Promise((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', () => resolve(undefined)));
  const address = /** @type {import('node:net').AddressInfo} */ (server.address());
  return {
    origin: `http://localhost:${address.port}`,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

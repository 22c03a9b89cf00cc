/** A server of OpenAI's kind, which answers what a test tells it to. */

import { createServer } from 'node:http';

/**
 * @typedef {object} Answer
 * @property {number} [status] 200 unless given.
 * @property {string} [body] An answer of one segment unless given.
 * @property {Record<string, string>} [headers]
 *
 * @typedef {object} Asked
 * @property {string} path
 * @property {import('node:http').IncomingHttpHeaders} headers
 * @property {Record<string, string[]>} fields What was sent, but for the file.
 * @property {Buffer} file
 */

/** What the server answers unless told otherwise. */
export const VERBOSE_JSON = {
  task: 'transcribe',
  language: 'english',
  duration: 2,
  text: 'Said to the server.',
  segments: [
    {
      id: 0,
      seek: 0,
      start: 0.25,
      end: 1.75,
      text: ' Said to the server.',
      tokens: [50364, 50464],
      temperature: 0,
      avg_logprob: -0.25,
      compression_ratio: 0.75,
      no_speech_prob: 0.01,
    },
  ],
};

/** @param {Answer} [answer] */
export async function serveTranscriptions(answer = {}) {
  /** @type {Asked[]} */
  const asked = [];
  const cors = { 'access-control-allow-origin': '*', 'access-control-allow-headers': '*' };
  const server = createServer(async (request, response) => {
    /** @type {Buffer[]} */
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    if (request.method === 'OPTIONS') {
      response.writeHead(204, cors).end();
      return;
    }
    const headers = { 'content-type': request.headers['content-type'] ?? '' };
    const form = await new Response(Buffer.concat(chunks), { headers }).formData().catch(() => new FormData());
    /** @type {Asked} */
    const one = { path: request.url ?? '', headers: request.headers, fields: {}, file: Buffer.alloc(0) };
    for (const [name, value] of form) {
      if (typeof value === 'string') (one.fields[name] ??= []).push(value);
      else one.file = Buffer.from(await value.arrayBuffer());
    }
    asked.push(one);
    const { status = 200, body = JSON.stringify(VERBOSE_JSON), headers: more } = answer;
    response.writeHead(status, { 'content-type': 'application/json', ...cors, ...more }).end(body);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)));
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  return {
    origin: `http://localhost:${port}`,
    asked,
    /** What is answered from now on. @param {Answer} changed */
    answers(changed) {
      answer = changed;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve(undefined));
        server.closeAllConnections();
      }),
  };
}

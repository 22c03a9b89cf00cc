/** Asks a server of OpenAI's kind. */

import { ServerError } from '../errors.js';
import type { ServerFallback, Transcript } from '../types.js';
import { transcriptOf } from './answer.js';
import { wavOf } from './wav.js';

const ENDPOINT = '/v1/audio/transcriptions';

/** The server's name for its model, unless the page names another: the one that every such server takes. */
export const DEFAULT_SERVER_MODEL = 'whisper-1';

/** What is shown of a server's explanation, in characters. */
const EXPLANATION_CHARS = 200;

/** What else the server is told. */
export interface RequestOptions {
  language?: string | undefined;
  wordTimes?: boolean | undefined;
  signal?: AbortSignal | undefined;
}

/** Sends mono samples at 16 000 Hz, and gives what the server wrote. Fails with `ServerError`. */
export async function askServer(
  server: ServerFallback,
  samples: Float32Array,
  { language, wordTimes = false, signal }: RequestOptions,
): Promise<Transcript> {
  signal?.throwIfAborted();
  const form = new FormData();
  form.append('file', wavOf(samples), 'audio.wav');
  form.append('model', server.model ?? DEFAULT_SERVER_MODEL);
  form.append('response_format', 'verbose_json');
  if (language !== undefined) form.append('language', language);
  if (wordTimes) {
    for (const granularity of ['segment', 'word']) form.append('timestamp_granularities[]', granularity);
  }
  const headers = new Headers(server.headers);
  if (server.apiKey !== undefined) headers.set('authorization', `Bearer ${server.apiKey}`);

  const url = endpoint(server.url);
  let status: number;
  let isGood: boolean;
  let body: string;
  try {
    // A redirect would bring what was said to a server that the page did not name.
    const response = await fetch(url, { method: 'POST', body: form, headers, redirect: 'error', signal: signal ?? null });
    [status, isGood] = [response.status, response.ok];
    body = await response.text();
  } catch (error) {
    signal?.throwIfAborted();
    const message = `The server at ${url.host} does not answer (${String(error)}): check address, connection and CORS.`;
    throw new ServerError('network', message);
  }
  if (!isGood) {
    const message = `The server at ${url.host} answers ${status}${explanation(body)}.`;
    throw new ServerError('http-status', message, { status });
  }
  return transcriptOf(body, samples.length);
}

/** The whole address, where only the server or its `/v1` is named. */
export function endpoint(address: string | URL): URL {
  const url = new URL(address, globalThis.document?.baseURI);
  if (url.pathname === '/') url.pathname = ENDPOINT;
  else if (/\/v1\/?$/.test(url.pathname)) url.pathname = url.pathname.replace(/\/v1\/?$/, ENDPOINT);
  return url;
}

/** What OpenAI's kind of server says of an error. */
function explanation(body: string): string {
  try {
    const { error } = JSON.parse(body) as { error?: { message?: unknown } };
    if (typeof error?.message === 'string') return `: ${error.message.slice(0, EXPLANATION_CHARS)}`;
  } catch {
    // No JSON: a web page, most likely.
  }
  return '';
}

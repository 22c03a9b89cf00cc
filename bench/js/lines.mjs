/** The protocol of a side with the benchmark: JSON objects on standard input and output, one a line. */

import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';

/** @returns {import('./side.mjs').Options & { chromium?: string }} The options on the command line. */
export function commandLine() {
  const text = /** @type {const} */ ({ type: 'string' });
  const auricle = { flavour: text, model: text, stream: text };
  const options = { engine: text, ...auricle, encoder: text, decoder: text, threads: text, chromium: text };
  const { engine = '', ...others } = parseArgs({ options }).values;
  return { engine, ...others };
}

/**
 * Starts a side, says that it is ready, and answers `{"clip": path}` until standard input ends. An error is answered as
 * `{"error": message}`.
 *
 * @param {() => Promise<{ ready: import('./side.mjs').Ready,
 *   transcribe: (clip: string) => Promise<import('./side.mjs').Reply> }>} start
 */
export async function serve(start) {
  try {
    const side = await start();
    say({ ready: side.ready });
    for await (const line of createInterface({ input: process.stdin })) {
      say({ reply: await side.transcribe(JSON.parse(line).clip) });
    }
  } catch (error) {
    say({ error: error instanceof Error ? (error.stack ?? error.message) : JSON.stringify(error) });
    process.exitCode = 1;
  }
}

/** @param {object} message */
function say(message) {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

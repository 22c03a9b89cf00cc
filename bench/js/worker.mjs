/** A side in a browser's Worker: the first message starts it, every other one names a clip. */

import { samplesOf, startSide } from './side.mjs';

/** @type {import('./side.mjs').Side | undefined} */
let side;

/** @type {import('./side.mjs').Read} */
async function read(path) {
  const response = await fetch(path);
  if (!response.ok) {
    throw new Error(`${path}: ${response.status} ${response.statusText}`);
  }
  return new Uint8Array(await response.arrayBuffer());
}

/** @param {MessageEvent} message */
self.onmessage = async ({ data }) => {
  try {
    if (side === undefined) {
      side = await startSide(data, read);
      postMessage({ value: side.ready });
    } else {
      postMessage({ value: await side.transcribe(samplesOf(await read(data))) });
    }
  } catch (error) {
    postMessage({ error: error instanceof Error ? (error.stack ?? error.message) : JSON.stringify(error) });
  }
};

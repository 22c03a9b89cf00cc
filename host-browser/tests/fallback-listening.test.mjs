/** What is said to a server, minute after minute, in Node. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';

import { ServerListening } from '../dist/fallback/listening.js';
import { VERBOSE_JSON } from './support/transcription-server.mjs';

const SAMPLE_RATE_HZ = 16_000;
const BLOCK_SAMPLES = 320;
const LOUD = new Float32Array(BLOCK_SAMPLES).fill(0.3);
const QUIET = new Float32Array(BLOCK_SAMPLES);

/** Listens without looking for pauses; `speak` has someone speak for so many seconds. */
function listen() {
  const settings = /** @type {any} */ ({ endpointing: null });
  const listening = new ServerListening({ url: 'http://localhost' }, settings, new AbortController().signal, () => {});
  /** @type {any} */
  const port = {
    onmessage: null,
    close() {
      port.onmessage = null;
    },
    postMessage: () => port.onmessage({ data: 'end' }),
  };
  listening.connect(port, SAMPLE_RATE_HZ);
  const speak = async (/** @type {number} */ seconds) => {
    const blocks = SAMPLE_RATE_HZ / BLOCK_SAMPLES;
    for (let second = 0; second < seconds; second += 1) {
      for (let block = 0; block < blocks; block += 1) port.onmessage?.({ data: block < 0.8 * blocks ? LOUD : QUIET });
      await setImmediate();
    }
  };
  return { listening, speak };
}

test('without pauses to look for, what is said is sent every minute, for as long as one likes', async (t) => {
  const { mock } = t.mock.method(globalThis, 'fetch', async () => new Response(JSON.stringify(VERBOSE_JSON)));
  const { listening, speak } = listen();
  await speak(400);
  await listening.finish();
  const { segments, durationS } = await listening.finished;
  assert.deepEqual(
    segments.map(({ endedBy }) => endedBy),
    [...Array.from({ length: 6 }, () => 'longest-segment'), 'finish'],
  );
  assert.ok(segments.every(({ startS, endS }) => endS - startS < 61));
  assert.equal(mock.callCount(), 7);
  assert.equal(Math.round(durationS), 400);
});

test('a server that does not answer is given up when five minutes wait for it', async (t) => {
  t.mock.method(globalThis, 'fetch', () => new Promise(() => {}));
  const { listening, speak } = listen();
  const failed = assert.rejects(listening.finished, (/** @type {any} */ { name, code, details }) => {
    assert.deepEqual([name, code], ['AudioError', 'too-far-behind']);
    assert.ok(details.lostS > 300 && details.lostS < 370, String(details.lostS));
    return true;
  });
  await speak(400);
  await failed;
});

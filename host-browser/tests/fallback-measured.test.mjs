/** What is measured before a server is asked, in Node. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { refusalHere } from '../dist/fallback.js';

/** @type {number[]} What comes out, one time after another. */
let factors = [];

/** Answers at once. */
class MeasuringWorker {
  /** @type {((event: { data: unknown }) => void) | null} */
  onmessage = null;

  /** @param {{ id: number }} request */
  postMessage({ id }) {
    const realTimeFactor = factors.shift();
    queueMicrotask(() => this.onmessage?.({ data: { kind: 'done', id, value: { realTimeFactor } } }));
  }

  terminate() {}
}

/** @type {any} */
const page = globalThis;
page.Worker = MeasuringWorker;
page.navigator ??= {};

test('a device that seems too slow is measured twice, and anew for the next load, until it is fast enough', async () => {
  const options = { fallback: { url: 'http://localhost' } };
  factors = [3, 2, 3, 0.1, 3];
  assert.equal((await refusalHere(options))?.code, 'too-slow');
  assert.deepEqual(factors, [3, 0.1, 3]);
  assert.equal(await refusalHere(options), undefined);
  assert.equal(await refusalHere(options), undefined);
  assert.deepEqual(factors, [3], 'what was fast enough is not measured again');
});

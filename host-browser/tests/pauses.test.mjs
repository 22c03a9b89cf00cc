/** Where utterances begin and end when no engine is there to say. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Pauses } from '../dist/fallback/pauses.js';

const BLOCK_S = 0.02;
const OPTIONS = { minimumSilenceS: 0.8, minimumSpeechS: 0.25, longestS: 20 };

/**
 * What happens, and after how many seconds.
 *
 * @param {[rms: number, seconds: number][]} parts
 * @param {Partial<typeof OPTIONS>} [options]
 */
function heard(parts, options) {
  const pauses = new Pauses({ ...OPTIONS, ...options });
  /** @type {[event: string, atS: number][]} */
  const events = [];
  let blocks = 0;
  for (const [rms, seconds] of parts) {
    for (let left = Math.round(seconds / BLOCK_S); left > 0; left -= 1) {
      blocks += 1;
      const event = pauses.take(rms, BLOCK_S);
      if (event !== undefined) events.push([event, Number((blocks * BLOCK_S).toFixed(2))]);
    }
  }
  return events;
}

test('an utterance begins with sound and ends with a pause', () => {
  const events = heard([
    [0.001, 1],
    [0.1, 1],
    [0.001, 0.5],
    [0.1, 1],
    [0.001, 1],
  ]);
  assert.deepEqual(events, [
    ['begun', 1.02],
    ['paused', 4.3],
  ]);
});

test('a click is no speech', () => {
  const events = heard([
    [0.001, 1],
    [0.5, 0.1],
    [0.001, 2],
  ]);
  assert.deepEqual(events, [
    ['begun', 1.02],
    ['dropped', 1.9],
  ]);
});

test('speech without a pause is cut', () => {
  const events = heard([[0.001, 1], [0.1, 7]], { longestS: 3 });
  assert.deepEqual(
    events.map(([event]) => event),
    ['begun', 'cut', 'begun', 'cut', 'begun'],
  );
});

test('steady noise is not speech for ever', () => {
  const events = heard([
    [0.001, 1],
    [0.02, 30],
  ]);
  const [first, second, ...rest] = events;
  assert.equal(first[0], 'begun');
  assert.equal(second[0], 'paused');
  assert.ok(second[1] < 16, String(second[1]));
  assert.deepEqual(rest, []);
});

test('without pauses to look for, all is one utterance', () => {
  const events = heard([[0.1, 5], [0.001, 60], [0.1, 5]], { minimumSilenceS: Infinity, longestS: 300 });
  assert.deepEqual(
    events.map(([event]) => event),
    ['begun'],
  );
});

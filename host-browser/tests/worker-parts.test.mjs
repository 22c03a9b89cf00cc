/** The parts of the Worker that need no browser: kept audio, one stream over several sessions, times, progress. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { unless } from './support/place.mjs';

const skip = unless('package');
const { Tape } = skip ? /** @type {any} */ ({}) : await import('../dist/worker/tape.js');
const { Continuity } = skip ? /** @type {any} */ ({}) : await import('../dist/worker/continuity.js');
const { Arrivals, RealTimeFactor } = skip ? /** @type {any} */ ({}) : await import('../dist/worker/timing.js');
const { LoadMeter } = skip ? /** @type {any} */ ({}) : await import('../dist/worker/load-meter.js');

test('kept audio is read from any position, and let go of in whole blocks', { skip }, () => {
  const tape = new Tape();
  tape.append(Float32Array.of(0, 1, 2));
  tape.append(new Float32Array(0));
  tape.append(Float32Array.of(3, 4));
  assert.deepEqual([...tape.read(1, 10)], [1, 2]);
  assert.deepEqual([...tape.read(3, 1)], [3]);
  assert.deepEqual([...tape.read(5, 1)], []);
  tape.forgetBefore(2);
  assert.deepEqual([tape.start, tape.end], [0, 5]);
  tape.forgetBefore(4);
  assert.deepEqual([tape.start, tape.end], [3, 5]);
  assert.deepEqual([...tape.read(4, 10)], [4]);
  tape.forgetBefore(5);
  assert.deepEqual([tape.start, tape.end], [5, 5]);
});

/**
 * A segment as the engine gives it.
 *
 * @param {number} id
 * @param {number} revision
 * @param {[number, number]} span
 * @param {string} text
 * @param {number} [settledWords]
 */
function segment(id, revision, [start, end], text, settledWords = 0) {
  const words = text.split(' ').map((text) => ({ text, span: { start: BigInt(start), end: BigInt(end) }, confidence: 1 }));
  const span = { start: BigInt(start), end: BigInt(end) };
  return { id: BigInt(id), revision, span, text, words, settledWords, settledChanged: false, tokens: [], guards: {} };
}

test('one session after another gives one stream: ids, positions and revisions go on, and nothing comes twice', { skip }, () => {
  const stream = new Continuity();
  const take = (/** @type {string} */ tag, /** @type {unknown} */ val) => stream.take({ tag, val });
  const partial = (/** @type {Parameters<typeof segment>} */ ...of) => take('partial-segment', segment(...of))?.segment;

  take('speech-started', 100n);
  assert.equal(take('final-segment', segment(0, 0, [100, 900], 'one')).segment.id, 0);
  take('speech-ended', 850n);
  take('speech-started', 2000n);
  assert.deepEqual([stream.finalEnd, stream.isSpeaking], [900, true]);
  partial(1, 0, [2000, 2500], 'two', 0);
  partial(1, 1, [2000, 3000], 'two three', 1);

  // The instance is lost; another hears everything after the final again.
  stream.restart(stream.finalEnd);
  assert.equal(take('speech-started', 1100n), undefined, 'it was given');
  assert.equal(partial(0, 0, [1100, 1600], 'too'), undefined, 'it would take back what was shown');
  const again = partial(0, 1, [1100, 2100], 'too three');
  assert.deepEqual([again.id, again.revision, again.startSample, again.endSample], [1, 3, 2000, 3000]);
  assert.deepEqual([again.words[0].startSample, again.startS], [2000, 0.125]);
  assert.equal(again.settledChanged, true, '`two` was settled');
  assert.equal(partial(0, 2, [1100, 2600], 'too three four').settledChanged, false, 'that was told');

  // And once more, before a partial of the third session.
  stream.restart(stream.finalEnd);
  stream.restart(stream.finalEnd);
  assert.equal(take('speech-started', 1100n), undefined);
  const last = take('final-segment', segment(0, 0, [1100, 2600], 'two three four', 3)).segment;
  assert.deepEqual([last.id, last.revision, last.endSample], [1, 5, 3500]);
  assert.equal(take('speech-ended', 2550n).sample, 3450);
  assert.equal(take('speech-started', 4000n).sample, 4900, 'the next one is new');
  assert.deepEqual([partial(1, 0, [4000, 4100], 'five').id, partial(1, 1, [4000, 4200], 'five').revision], [2, 1]);
  assert.equal(take('end-of-stream', 5000n).sample, 5900);
  assert.equal(stream.isEnded, true);
});

test('a sample came when the line says, on which the earliest of the blocks came', { skip }, () => {
  const arrivals = new Arrivals();
  const sinceMs = (/** @type {number} */ sample, /** @type {number} */ now) => Math.round(arrivals.sinceMs(sample, now) * 1e6) / 1e6;
  assert.equal(arrivals.sinceMs(0, 0), undefined);
  // Blocks of 100 ms, taken 5 ms after their last sample; every third waited for the engine.
  for (let block = 1; block <= 20; block += 1) {
    arrivals.took(0.1, 7000 + block * 100 + (block % 3 === 0 ? 60 : 5));
  }
  assert.equal(sinceMs(16_000, 9_005), 1_000);
  assert.equal(sinceMs(32_000, 9_010), 5);
  assert.equal(sinceMs(32_000, 9_000), 0, 'nothing comes before its sample');
  // The context was suspended for ten seconds.
  arrivals.resumed();
  arrivals.took(0.1, 19_105);
  assert.equal(sinceMs(33_600, 19_115), 10);
});

test('of a clock that runs away from the samples, only the last seconds count', { skip }, () => {
  const arrivals = new Arrivals();
  for (let second = 1; second <= 60; second += 1) {
    arrivals.took(1, second * 1_001);
  }
  const sinceMs = arrivals.sinceMs(60 * 16_000, 60 * 1_001);
  assert.ok(sinceMs >= 0 && sinceMs <= 10, `${sinceMs}`);
});

test('the real-time factor counts the work since the last final, by the audio since then', { skip }, () => {
  const factor = new RealTimeFactor();
  factor.spent(30);
  factor.spent(20);
  assert.equal(factor.atFinal(16_000), 0.05);
  factor.spent(500);
  assert.equal(factor.atFinal(24_000), 1);
  assert.equal(factor.atFinal(24_000), 0);
});

test('progress tells every phase in order, and its fraction never falls, whatever the download does', { skip }, () => {
  /** @type {import('../dist/types.js').LoadProgress[]} */
  const told = [];
  let now = 0;
  const meter = new LoadMeter(1000, (/** @type {any} */ progress) => told.push(progress), () => now);
  for (const bytes of [100, 400, 600, 0, 300, 1000]) {
    now += 100;
    meter.loaded(bytes, 'network');
  }
  meter.begin('verify');
  meter.begin('compile');
  meter.begin('load');
  meter.begin('compile');
  meter.end();
  const phases = told.map(({ phase }) => phase).filter((phase, index, all) => phase !== all[index - 1]);
  assert.deepEqual(phases, ['download', 'verify', 'compile', 'load']);
  const fractions = told.map(({ fraction }) => fraction);
  assert.deepEqual(fractions, [...fractions].sort((a, b) => a - b));
  assert.equal(fractions.at(-1), 1);
  assert.equal(told[2].bytesPerSecond, 2500);
  assert.equal(told[3].bytesPerSecond, 0, 'it began anew');
  assert.equal(told[5].bytesPerSecond, 5000);
});

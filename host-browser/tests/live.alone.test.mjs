/** Live transcription as it is meant to be used, while nothing else runs: what comes, when, and what it costs the page. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { listen, openAuricle } from './support/auricle.mjs';
import { launch } from './support/chromium.mjs';
import { testdata, unless } from './support/place.mjs';
import { serveSite } from './support/site.mjs';

const skip = unless('package', 'model', 'chromium');

/** Finals that are waited for at a time. */
const FINALS_PER_ROUND = 3;
const MOST_ROUNDS = 3;

/** How long after the pause that ends a segment its final may come: the median of the best round. */
const LATENCY_MS = 80;

test('what a microphone hears comes as partials and finals, without a long task on the page', { skip }, async (t) => {
  const site = await serveSite();
  t.after(() => site.close());
  const browser = await launch({ microphone: testdata('jfk.wav') });
  t.after(() => browser.close());
  const { page, complaints } = await openAuricle(browser, site);
  await listen(page, { wordTimes: true });
  await page.evaluate(() => {
    const page = /** @type {any} */ (globalThis);
    page.tasks = [];
    new PerformanceObserver((list) => page.tasks.push(...list.getEntries().map(({ duration }) => duration))).observe({
      type: 'longtask',
    });
    page.levels = 0;
    page.listening.addEventListener('level', (/** @type {CustomEvent} */ { detail }) => {
      page.levels += detail.peak > 0 && detail.peak <= 1 && page.listening.level === detail.peak ? 1 : 0;
    });
    page.dispatched = [];
    page.listening.addEventListener('final', (/** @type {CustomEvent} */ { detail }) => page.dispatched.push(detail.segment.text));
    page.iterated = (async () => {
      const types = [];
      for await (const { type } of page.listening) {
        types.push(type);
      }
      return types;
    })();
  });
  const hearFinals = (/** @type {number} */ count) =>
    page.waitForFunction((count) => /** @type {any} */ (globalThis).dispatched.length >= count, count, { timeout: 60_000 });
  // Whatever else the computer does can make any task long and any final late; what is due to the page is so every time.
  /** @type {{ tasks: number[], medianMs: number }[]} */
  const rounds = [];
  const isQuiet = () => rounds.some(({ tasks }) => tasks.length === 0);
  const bestMs = () => Math.min(...rounds.map(({ medianMs }) => medianMs));
  let judged = 0;
  do {
    await hearFinals(FINALS_PER_ROUND * (rounds.length + 1));
    const { tasks, events } = await page.evaluate(() => {
      const { tasks, events } = /** @type {any} */ (globalThis);
      return { tasks: tasks.splice(0), events };
    });
    const latencies = latenciesOf(events);
    rounds.push({ tasks, medianMs: medianOf(latencies.slice(judged)) });
    judged = latencies.length;
  } while (rounds.length < MOST_ROUNDS && !(isQuiet() && bestMs() <= LATENCY_MS));
  const { transcript, events, tasks, levels, dispatched, iterated, metrics, measures } = await page.evaluate(async () => {
    const page = /** @type {any} */ (globalThis);
    const transcript = await page.listening.stop();
    const iterated = (await page.iterated).filter((/** @type {string} */ type) => type !== 'level');
    const measures = performance.getEntriesByType('measure').map(({ name }) => name);
    return { ...page, transcript, iterated, measures };
  });

  const story = events.filter((/** @type {any} */ { type }) => type !== 'notice');
  const types = story.map((/** @type {any} */ { type }) => type);
  assert.match(types.join(' '), /^(speechstart( partial)* final speechend ?)+ end$/);
  assert.ok(types.filter((/** @type {string} */ type) => type === 'partial').length >= 6, types.join(' '));
  assert.deepEqual(iterated, events.map((/** @type {any} */ { type }) => type));
  const finals = story.filter((/** @type {any} */ { type }) => type === 'final').map((/** @type {any} */ { segment }) => segment);
  assert.deepEqual(transcript.segments, finals);
  assert.deepEqual(transcript.text, finals.map((/** @type {any} */ { text }) => text).filter(Boolean).join(' '));
  assert.deepEqual(dispatched, finals.map((/** @type {any} */ { text }) => text));
  assert.match(transcript.text, /country/);
  finals.forEach((/** @type {any} */ segment, /** @type {number} */ index) => {
    assert.equal(segment.id, index);
    const revisions = story
      .filter((/** @type {any} */ event) => event.segment?.id === index)
      .map((/** @type {any} */ event) => event.segment.revision);
    assert.deepEqual(revisions, [...new Set(revisions)].sort((a, b) => a - b));
  });
  const { durationS } = story.at(-1);
  assert.equal(transcript.durationS, durationS);

  const latencies = latenciesOf(story);
  assert.ok(latencies.length >= 3 && latencies.every((ms) => ms >= 0 && ms < 2_000), `${latencies}`);
  const live = metrics.filter((/** @type {any} */ { attributes }) => attributes.live);
  const named = (/** @type {string} */ name) => live.filter((/** @type {any} */ record) => record.name === name);
  assert.deepEqual(named('final-latency').map((/** @type {any} */ { value }) => value), latencies);
  assert.ok(named('first-partial').length >= 2);
  assert.equal(named('real-time-factor').length, finals.length);
  for (const name of ['first-partial', 'final-latency', 'real-time-factor']) {
    assert.ok(measures.includes(`auricle:${name}`), name);
  }
  assert.ok(levels > 50, `${levels} levels`);
  // What the end of listening took on the page belongs to the last round.
  rounds[rounds.length - 1].tasks.push(...tasks);
  const medians = rounds.map(({ medianMs }) => Math.round(medianMs)).join(', ');
  console.log(`final latencies: ${latencies.map(Math.round).join(', ')} ms; medians of the rounds: ${medians} ms`);
  console.log(`tasks over 50 ms on the page, by round: ${JSON.stringify(rounds.map(({ tasks }) => tasks))}`);
  assert.ok(bestMs() <= LATENCY_MS, `the best median is ${bestMs()} ms`);
  assert.ok(isQuiet(), 'each round has long tasks');
  assert.deepEqual(complaints, []);
});

/**
 * How late the finals were that a pause ended.
 *
 * @param {any[]} events
 * @returns {number[]}
 */
function latenciesOf(events) {
  return events
    .filter(({ type, segment }) => type === 'final' && segment.endedBy === 'silence')
    .map(({ latencyMs }) => latencyMs);
}

/**
 * The middle one, or the mean of the two in the middle; `Infinity` of none.
 *
 * @param {number[]} values
 */
function medianOf(values) {
  if (values.length === 0) return Infinity;
  const sorted = values.toSorted((a, b) => a - b);
  const half = sorted.length / 2;
  return (sorted[Math.ceil(half) - 1] + sorted[Math.floor(half)]) / 2;
}

/** The engine fails: it is started again, and what was being said is heard once more. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { eventsUntil, listen, openAuricle } from './support/auricle.mjs';
import { launch } from './support/chromium.mjs';
import { testdata, unless } from './support/place.mjs';
import { serveSite } from './support/site.mjs';

const skip = unless('package', 'model', 'chromium');

/** @type {Awaited<ReturnType<typeof serveSite>>} */
let site;
/** @type {import('playwright-core').Browser} */
let browser;

before(async () => {
  if (!skip) {
    site = await serveSite();
    browser = await launch({ microphone: testdata('jfk.wav') });
  }
});
after(async () => {
  await browser?.close();
  await site?.close();
});

/**
 * Makes the clock fail the engine, so often or for ever, in calls of that name: a trap like any other.
 *
 * @param {import('playwright-core').Worker} worker
 * @param {number} times
 * @param {string} call
 */
async function breakClock(worker, times, call) {
  await worker.evaluate(
    ({ times, call }) => {
      Error.stackTraceLimit = 100;
      const now = performance.now.bind(performance);
      let left = times;
      performance.now = () => {
        const stack = String(new Error().stack);
        if (left > 0 && stack.includes('wasm') && stack.includes(call)) {
          left -= 1;
          throw new Error('the clock is broken');
        }
        return now();
      };
    },
    { times, call },
  );
}

test('after a trap, ids, positions and revisions go on, and nothing comes twice', { skip }, async (t) => {
  const { context, page, worker, complaints } = await openAuricle(browser, site);
  t.after(() => context.close());
  await listen(page);
  const types = (await eventsUntil(page, { type: 'final' })).map(({ type }) => type);
  // The next segment may have begun by now.
  const starts = types.slice(0, types.indexOf('final')).filter((type) => type === 'speechstart').length;
  // In the middle of the next segment.
  await page.waitForFunction(
    () => {
      const types = /** @type {any} */ (globalThis).events.map((/** @type {any} */ { type }) => type);
      return types.lastIndexOf('partial') > types.lastIndexOf('final');
    },
    undefined,
    { timeout: 60_000 },
  );
  await breakClock(worker, 1, 'pollTranscript');
  await eventsUntil(page, { type: 'notice', code: 'recovered' });
  await page.waitForFunction(
    () => {
      const types = /** @type {any} */ (globalThis).events.map((/** @type {any} */ { type }) => type);
      return types.slice(types.lastIndexOf('notice')).filter((/** @type {string} */ type) => type === 'final').length >= 2;
    },
    undefined,
    { timeout: 60_000 },
  );
  const { transcript, events } = await page.evaluate(async () => {
    const page = /** @type {any} */ (globalThis);
    const transcript = await page.listening.stop();
    return { transcript, events: page.events };
  });

  assert.equal(starts, 1);
  const story = events.filter((/** @type {any} */ { type }) => type !== 'notice');
  assert.match(story.map((/** @type {any} */ { type }) => type).join(' '), /^(speechstart( partial)* final speechend ?)+ end$/);
  /** @type {Map<number, any>} */
  const latest = new Map();
  let end = 0;
  for (const { type, segment, sample } of story) {
    if (segment !== undefined) {
      const former = latest.get(segment.id);
      assert.ok(former === undefined || segment.revision > former.revision, `segment ${segment.id}`);
      assert.ok(segment.startSample >= end, 'segments do not overlap');
      latest.set(segment.id, segment);
      end = type === 'final' ? segment.endSample : end;
    } else if (sample !== undefined) {
      assert.ok(sample >= 0);
    }
  }
  assert.deepEqual([...latest.keys()], transcript.segments.map((/** @type {any} */ { id }) => id));
  assert.ok(end / 16_000 <= transcript.durationS);
  assert.deepEqual(complaints, []);
});

test('every stream of the model goes on, and a recording says the same as without a trap', { skip }, async (t) => {
  const { context, page, worker } = await openAuricle(browser, site);
  t.after(() => context.close());
  const want = await page.evaluate(async () => (await /** @type {any} */ (globalThis).auricle.transcribe('/testdata/jfk.wav')).text);
  await page.evaluate(() => {
    const page = /** @type {any} */ (globalThis);
    const options = { endpointing: null };
    page.both = Promise.all([page.auricle.transcribe('/testdata/jfk.wav'), page.auricle.transcribe('/testdata/jfk.wav', options)]);
  });
  await breakClock(worker, 1, 'pollTranscript');
  const texts = await page.evaluate(async () =>
    (await /** @type {any} */ (globalThis).both).map((/** @type {any} */ { text }) => text),
  );
  assert.deepEqual(texts, [want, want]);
});

test('what opens a session finds the engine whole again', { skip }, async (t) => {
  const { context, page, worker } = await openAuricle(browser, site);
  t.after(() => context.close());
  const transcribe = () =>
    page.evaluate(async () => (await /** @type {any} */ (globalThis).auricle.transcribe('/testdata/jfk.wav')).text);
  const want = await transcribe();
  await breakClock(worker, 2, 'pollTranscript');
  const outcome = await page.evaluate(() => {
    const { auricle, outcome } = /** @type {any} */ (globalThis);
    return outcome(auricle.transcribe('/testdata/jfk.wav'));
  });
  assert.equal(outcome, 'EngineError trapped', 'twice without a final is once too often');
  assert.equal(await transcribe(), want);
});

test('an engine that fails again and again ends what listens with an error', { skip }, async (t) => {
  const { context, page, worker } = await openAuricle(browser, site);
  t.after(() => context.close());
  await listen(page);
  await eventsUntil(page, { type: 'partial' });
  await breakClock(worker, Infinity, 'pollTranscript');
  const outcome = await page.evaluate(() => {
    const { listening, outcome } = /** @type {any} */ (globalThis);
    return outcome(listening.finished);
  });
  assert.equal(outcome, 'EngineError trapped');
  const events = await eventsUntil(page, { type: 'error', code: 'trapped' });
  assert.ok(!events.some(({ type }) => type === 'end'));
});

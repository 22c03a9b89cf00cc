/** Listening: to the microphone and to tracks, and how it ends, is cancelled and closed. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { eventsUntil, isClosed, listen, openAuricle, spy } from './support/auricle.mjs';
import { launch } from './support/chromium.mjs';
import { testdata, unless } from './support/place.mjs';
import { serveSite } from './support/site.mjs';

const skip = unless('package', 'model', 'chromium');

const { Listening } = skip ? /** @type {any} */ ({}) : await import('../dist/listening.js');

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
 * A page that listens; what it opens for that is in `opened`.
 *
 * @param {import('node:test').TestContext} t
 * @param {object} [options] For `listen`.
 */
async function listening(t, options) {
  const opened = await openAuricle(browser, site);
  t.after(() => opened.context.close());
  await spy(opened.page);
  await listen(opened.page, options);
  return opened;
}

test('nothing comes any more after `abort`, and everything is closed', { skip }, async (t) => {
  const { page } = await listening(t);
  await eventsUntil(page, { type: 'partial' });
  const { outcome, before, after, text } = await page.evaluate(async () => {
    const page = /** @type {any} */ (globalThis);
    const loop = (async () => {
      for await (const _ of page.listening);
      return 'over';
    })();
    page.listening.abort();
    const before = page.events.length;
    const outcome = await page.outcome(page.listening.finished);
    await loop;
    for await (const _ of page.listening) throw new Error('it has ended');
    // Another session of the same model is none the worse.
    const { text } = await page.auricle.transcribe('/testdata/jfk.wav');
    return { outcome, before, after: page.events.length, text };
  });
  assert.deepEqual([outcome, after], ['AbortError', before]);
  assert.match(text, /^And so my fellow Americans/);
  await isClosed(page);
});

test('`listen` can be cancelled before, while the user is asked, while audio begins, and later', { skip }, async (t) => {
  const { context, page } = await openAuricle(browser, site);
  t.after(() => context.close());
  await spy(page);
  const outcomes = await page.evaluate(async () => {
    const { auricle, outcome } = /** @type {any} */ (globalThis);
    const outcomes = [await outcome(auricle.listen({ signal: AbortSignal.abort() }))];

    const { getUserMedia } = navigator.mediaDevices;
    /** @type {(value?: unknown) => void} */
    let allow = () => {};
    navigator.mediaDevices.getUserMedia = async (constraints) => {
      await new Promise((resolve) => (allow = resolve));
      return await getUserMedia(constraints);
    };
    const asking = new AbortController();
    const asked = outcome(auricle.listen({ signal: asking.signal }));
    asking.abort();
    outcomes.push(await asked);
    allow();
    navigator.mediaDevices.getUserMedia = getUserMedia;

    const { addModule } = AudioWorklet.prototype;
    const beginning = new AbortController();
    AudioWorklet.prototype.addModule = function (...of) {
      beginning.abort();
      return addModule.apply(this, of);
    };
    outcomes.push(await outcome(auricle.listen({ signal: beginning.signal })));
    AudioWorklet.prototype.addModule = addModule;

    const later = new AbortController();
    const listening = await auricle.listen({ signal: later.signal });
    later.abort();
    outcomes.push(await outcome(listening.finished));
    return outcomes;
  });
  assert.deepEqual(outcomes, ['AbortError', 'AbortError', 'AbortError', 'AbortError']);
  await page.waitForFunction(() => /** @type {any} */ (globalThis).opened.tracks.length === 3);
  await isClosed(page);
});

test('closing ends what listens', { skip }, async (t) => {
  const { page } = await listening(t);
  const outcome = await page.evaluate(() => {
    const { auricle, listening, outcome } = /** @type {any} */ (globalThis);
    auricle.close();
    return outcome(listening.finished);
  });
  assert.equal(outcome, 'AbortError');
  await isClosed(page);
});

test('closing while audio begins leaves no microphone on, and is told', { skip }, async (t) => {
  const { context, page } = await openAuricle(browser, site);
  t.after(() => context.close());
  await spy(page);
  const outcome = await page.evaluate(async () => {
    const { auricle, outcome } = /** @type {any} */ (globalThis);
    const { addModule } = AudioWorklet.prototype;
    AudioWorklet.prototype.addModule = async function (...of) {
      await addModule.apply(this, of);
      auricle.close();
    };
    return await outcome(auricle.listen());
  });
  assert.equal(outcome, 'AbortError');
  await page.waitForFunction(() => /** @type {any} */ (globalThis).opened.contexts.length === 1);
  await isClosed(page);
});

test('a track of the page\'s own is listened to, told of when muted, and left to the page', { skip }, async (t) => {
  const { context, page } = await openAuricle(browser, site);
  t.after(() => context.close());
  await spy(page);
  await page.evaluate(async () => {
    const page = /** @type {any} */ (globalThis);
    const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
    page.events = [];
    page.listening = await page.auricle.listen(stream, { onEvent: (/** @type {any} */ event) => page.events.push(event) });
  });
  await eventsUntil(page, { type: 'speechstart' });
  const states = await page.evaluate(async () => {
    const page = /** @type {any} */ (globalThis);
    const [track] = page.opened.tracks;
    track.dispatchEvent(new Event('mute'));
    track.dispatchEvent(new Event('unmute'));
    track.dispatchEvent(new Event('ended'));
    const { segments } = await page.listening.finished;
    const codes = page.events.flatMap((/** @type {any} */ { notice }) => (notice === undefined ? [] : [notice.code]));
    const ended = await page.auricle.listen(track).then((/** @type {any} */ listening) => listening.stop());
    track.stop();
    const outcomes = [
      await page.outcome(page.auricle.listen(track)),
      await page.outcome(page.auricle.listen(new MediaStream())),
    ];
    return { state: ended !== undefined && page.listening.error === undefined, codes, segments: segments.length, outcomes };
  });
  assert.deepEqual(states, {
    state: true,
    codes: ['muted', 'unmuted', 'source-ended'],
    segments: 1,
    outcomes: ['MicrophoneError lost', 'MicrophoneError not-found'],
  });
});

test('a slow loop gets the newest level and the newest partial of a segment, in their order', { skip }, async () => {
  const listening = new Listening({ finished: Promise.resolve(), stop: () => {}, abort: () => {} });
  const events = listening[Symbol.asyncIterator]();
  const partial = (/** @type {number} */ id, /** @type {number} */ revision, settledChanged = false) =>
    listening.take({ type: 'partial', segment: { id, revision, settledChanged } });
  listening.take({ type: 'level', peak: 0.1, rms: 0.1 });
  partial(0, 0);
  partial(0, 1, true);
  listening.take({ type: 'level', peak: 0.2, rms: 0.1 });
  partial(0, 2);
  listening.take({ type: 'final', segment: { id: 0, revision: 3 } });
  partial(1, 0);
  listening.end();
  const got = [];
  for (let next = await events.next(); !next.done; next = await events.next()) {
    const { type, peak, segment } = next.value;
    got.push([type, peak ?? segment.revision, ...(segment?.settledChanged ? ['changed'] : [])]);
  }
  assert.deepEqual(got, [['level', 0.2], ['partial', 2, 'changed'], ['final', 3], ['partial', 0]]);
});

/** Live: a microphone that hears a WAV, and everything that can happen to microphone, page and engine meanwhile. */

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

/**
 * Notes the streams and audio contexts that the page opens.
 *
 * @param {import('playwright-core').Page} page
 */
async function spy(page) {
  await page.evaluate(() => {
    const page = /** @type {any} */ (globalThis);
    page.opened = { tracks: [], contexts: [] };
    const getUserMedia = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    navigator.mediaDevices.getUserMedia = async (constraints) => {
      const stream = await getUserMedia(constraints);
      page.opened.tracks.push(...stream.getTracks());
      return stream;
    };
    page.AudioContext = class extends AudioContext {
      constructor(/** @type {AudioContextOptions} */ options) {
        super(options);
        page.opened.contexts.push(this);
      }
    };
  });
}

/**
 * Whether everything that the page had opened is closed.
 *
 * @param {import('playwright-core').Page} page
 */
async function isClosed(page) {
  await page.waitForFunction(() => {
    const { tracks, contexts } = /** @type {any} */ (globalThis).opened;
    const ended = tracks.every((/** @type {any} */ track) => track.readyState === 'ended');
    return ended && contexts.every((/** @type {any} */ context) => context.state === 'closed');
  });
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

test('a microphone that is unplugged is an error, and what was said until then is kept', { skip }, async (t) => {
  const { page } = await listening(t);
  await eventsUntil(page, { type: 'partial' });
  const { text, name } = await page.evaluate(async () => {
    const page = /** @type {any} */ (globalThis);
    page.opened.tracks[0].dispatchEvent(new Event('ended'));
    const { text } = await page.listening.finished;
    return { text, name: `${page.listening.error.name} ${page.listening.error.code}` };
  });
  assert.equal(name, 'MicrophoneError lost');
  assert.match(text, /\w/);
  const events = await eventsUntil(page, { type: 'end' });
  const story = events.map(({ type }) => type);
  assert.ok(story.indexOf('error') < story.lastIndexOf('final'), story.join(' '));
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

test('a hidden page and a low battery make partials economical, and finals stay', { skip }, async (t) => {
  const { context, page } = await openAuricle(browser, site);
  t.after(() => context.close());
  await page.evaluate(() => {
    const page = /** @type {any} */ (globalThis);
    page.visibility = 'visible';
    Object.defineProperty(document, 'visibilityState', { get: () => page.visibility });
    page.battery = Object.assign(new EventTarget(), { level: 0.9, charging: false });
    /** @type {any} */ (navigator).getBattery = async () => page.battery;
  });
  // What is watched, is watched from loading on.
  await page.evaluate(async () => {
    const page = /** @type {any} */ (globalThis);
    page.auricle.close();
    page.auricle = await page.module.Auricle.load();
  });
  await listen(page);
  await page.evaluate(() => {
    const page = /** @type {any} */ (globalThis);
    page.visibility = 'hidden';
    document.dispatchEvent(new Event('visibilitychange'));
  });
  await eventsUntil(page, { type: 'notice', code: 'economical' });
  await eventsUntil(page, { type: 'final' });
  await page.evaluate(() => {
    const page = /** @type {any} */ (globalThis);
    page.visibility = 'visible';
    document.dispatchEvent(new Event('visibilitychange'));
  });
  await eventsUntil(page, { type: 'notice', code: 'eager' });
  const codes = await page.evaluate(async () => {
    const page = /** @type {any} */ (globalThis);
    page.battery.level = 0.1;
    page.battery.dispatchEvent(new Event('levelchange'));
    page.battery.charging = true;
    page.battery.dispatchEvent(new Event('chargingchange'));
    await page.listening.stop();
    return page.events.flatMap((/** @type {any} */ { notice }) => (notice === undefined ? [] : [notice.code]));
  });
  assert.deepEqual(codes, ['economical', 'eager', 'economical', 'eager']);
});

test('audio that the browser holds back comes after a click, and that is told', { skip }, async (t) => {
  const { page } = await listening(t);
  await eventsUntil(page, { type: 'speechstart' });
  await page.evaluate(async () => {
    const [context] = /** @type {any} */ (globalThis).opened.contexts;
    // As on a page that nobody has touched: asking is not enough.
    const resume = context.resume.bind(context);
    let isTouched = false;
    window.addEventListener('pointerdown', () => (isTouched = true), { capture: true });
    context.resume = () => (isTouched ? resume() : new Promise(() => {}));
    await context.suspend();
  });
  await eventsUntil(page, { type: 'notice', code: 'suspended' });
  await page.mouse.click(10, 10);
  await eventsUntil(page, { type: 'notice', code: 'resumed' });
  await eventsUntil(page, { type: 'final' });
  await page.evaluate(() => /** @type {any} */ (globalThis).listening.stop());
});

test('another device with another rate is heard in the same session', { skip }, async (t) => {
  const { page } = await listening(t);
  await eventsUntil(page, { type: 'final' });
  const before = await page.evaluate(async () => {
    const page = /** @type {any} */ (globalThis);
    const [track] = page.opened.tracks;
    const settings = { ...track.getSettings(), deviceId: 'another', sampleRate: 44_100 };
    track.getSettings = () => settings;
    const { AudioContext } = page;
    page.AudioContext = class extends AudioContext {
      constructor() {
        super({ sampleRate: 44_100 });
      }
    };
    navigator.mediaDevices.dispatchEvent(new Event('devicechange'));
    return page.events.length;
  });
  await eventsUntil(page, { type: 'notice', code: 'device-changed' });
  await page.waitForFunction(
    (before) => /** @type {any} */ (globalThis).events.slice(before).some((/** @type {any} */ { type }) => type === 'final'),
    before,
    { timeout: 60_000 },
  );
  const { ids, rates } = await page.evaluate(async () => {
    const page = /** @type {any} */ (globalThis);
    const rates = page.opened.contexts.map((/** @type {any} */ context) => context.sampleRate);
    const { segments } = await page.listening.stop();
    return { ids: segments.map((/** @type {any} */ { id }) => id), rates };
  });
  assert.deepEqual(ids, ids.map((/** @type {number} */ _, /** @type {number} */ index) => index));
  assert.equal(rates.length, 2);
  assert.equal(rates[1], 44_100);
  await isClosed(page);
});

test('a device that is too slow says so, loses nothing, and says when it has caught up', { skip }, async (t) => {
  const { page, worker } = await listening(t);
  await eventsUntil(page, { type: 'speechstart' });
  await worker.evaluate(() => {
    const now = performance.now.bind(performance);
    // Every look at the clock costs the engine a while.
    performance.now = () => {
      const start = now();
      while (/wasm/.test(String(new Error().stack)) && now() - start < 150);
      return now();
    };
    /** @type {any} */ (globalThis).fast = () => (performance.now = now);
  });
  await eventsUntil(page, { type: 'notice', code: 'behind' });
  await worker.evaluate(() => /** @type {any} */ (globalThis).fast());
  await eventsUntil(page, { type: 'notice', code: 'caught-up' });
  const { durationS, lastS } = await page.evaluate(async () => {
    const { durationS, segments } = await /** @type {any} */ (globalThis).listening.stop();
    return { durationS, lastS: segments.at(-1).endS };
  });
  assert.ok(lastS <= durationS && durationS > 4, `${lastS} ${durationS}`);
});

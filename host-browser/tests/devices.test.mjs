/** What can happen to microphone, page and device while somebody listens: each is told, and what can go on goes on. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { eventsUntil, isClosed, listen, openAuricle, spy } from './support/auricle.mjs';
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

test('of devices that change in quick succession, one is heard in the end', { skip }, async (t) => {
  const { page } = await listening(t);
  await page.evaluate(async () => {
    const [track] = /** @type {any} */ (globalThis).opened.tracks;
    let settings = track.getSettings();
    track.getSettings = () => settings;
    // The next change comes while the context of the one before still begins.
    const { addModule } = AudioWorklet.prototype;
    AudioWorklet.prototype.addModule = async function (...of) {
      AudioWorklet.prototype.addModule = addModule;
      settings = { ...settings, deviceId: 'third' };
      navigator.mediaDevices.dispatchEvent(new Event('devicechange'));
      await addModule.apply(this, of);
    };
    settings = { ...settings, deviceId: 'second' };
    navigator.mediaDevices.dispatchEvent(new Event('devicechange'));
  });
  await eventsUntil(page, { type: 'notice', code: 'device-changed' });
  await eventsUntil(page, { type: 'final' });
  const open = await page.evaluate(
    () => /** @type {any} */ (globalThis).opened.contexts.filter((/** @type {any} */ { state }) => state !== 'closed').length,
  );
  assert.equal(open, 1);
  await page.evaluate(() => /** @type {any} */ (globalThis).listening.stop());
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

/**
 * The demo page, as a visitor uses it: from a microphone and from files to subtitles, and offline.
 *
 * With `AURICLE_SCREENSHOTS`, the pictures of the README are written to the folder that it names.
 */

import assert from 'node:assert/strict';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { launch } from './support/chromium.mjs';
import { assemble, badge, drop, lines, openDemo, PATH, saved, serveDemo, status, violations } from './support/demo.mjs';
import { DIST, MODEL, sample, TARGET, testdata, unless } from './support/place.mjs';

const skip = unless('package', 'model', 'chromium');
const MADE = join(TARGET, 'demo-test/page');

/** What `auricle transcribe testdata/jfk.wav` prints. */
const JFK = 'And so my fellow Americans ask not what your country can do for you, ask what you can do for your country.';

/** @type {Awaited<ReturnType<typeof serveDemo>>} */
let site;
/** @type {import('playwright-core').Browser} Its microphone hears a recording, once, from when it is opened. */
let browser;

before(async () => {
  if (!skip) {
    assemble(MADE);
    site = await serveDemo(MADE);
    browser = await launch({ microphone: `${testdata('jfk.wav')}%noloop` });
  }
});

after(async () => {
  await browser?.close();
  await site?.close();
});

/**
 * Opens the page.
 *
 * @param {import('node:test').TestContext} t
 * @param {import('playwright-core').BrowserContextOptions} [options]
 */
async function visit(t, options) {
  const opened = await openDemo(browser, site, options);
  t.after(() => opened.context.close());
  return opened;
}

/** @param {string} text */
const plain = (text) => text.toLowerCase().replaceAll(/[^a-z ]/g, '');

test('a visitor starts, speaks, sees the words come, stops, and saves subtitles', { skip }, async (t) => {
  const { page, complaints } = await visit(t);
  await page.evaluate(() => {
    const seen = { unsettled: 0, shift: 0, live: '' };
    Object.assign(globalThis, { seen });
    new MutationObserver(() => {
      seen.unsettled += document.querySelector('#live-unsettled')?.textContent === '' ? 0 : 1;
    }).observe(/** @type {Element} */ (document.querySelector('#live')), { subtree: true, childList: true, characterData: true });
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) {
        seen.shift += /** @type {PerformanceEntry & { value: number }} */ (entry).value;
      }
    }).observe({ type: 'layout-shift' });
  });

  await page.getByRole('button', { name: 'Start' }).click();
  await page.locator('#progress').waitFor({ state: 'visible' });
  await status(page, /^Listening/);
  await page.locator('#live-unsettled').filter({ hasText: /\w/ }).waitFor();
  // The recording takes 11 seconds, and ends in silence, which ends its last line.
  await page.locator('#clock').filter({ hasText: /^0:(1[3-9]|[2-5]\d)$/ }).waitFor();
  await page.locator('#live').waitFor({ state: 'hidden' });
  const latencies = await page.locator('#segments .latency').allTextContents();
  await page.getByRole('button', { name: 'Stop' }).click();
  await status(page, /^Stopped after 0:\d\d/);

  const seen = await page.evaluate(() => /** @type {any} */ (globalThis).seen);
  assert.ok(seen.unsettled >= 3, `${seen.unsettled} changes of the live line`);
  assert.ok(seen.shift < 0.01, `the layout shifted by ${seen.shift}`);
  assert.match(latencies.at(-1) ?? '', /^[\d.]+ m?s$/);
  assert.match((await page.locator('#figure-factor').textContent()) ?? '', /^0\.\d\d$/);

  const shown = await lines(page);
  // A busy machine's microphone loses a sound now and then: a word may be another.
  const heard = plain(shown.join(' ')).split(' ');
  const missing = plain(JFK).split(' ').filter((word) => !heard.includes(word));
  assert.ok(missing.length <= 4 && Math.abs(heard.length - 22) <= 3, heard.join(' '));
  const srt = await saved(page, () => page.getByRole('button', { name: 'SRT' }).click());
  assert.match(srt.name, /^auricle-\d{4}-\d\d-\d\d-\d{4}\.srt$/);
  const cues = srt.text.trimEnd().split('\n\n').map((cue) => cue.split('\n'));
  assert.deepEqual(cues.map(([number]) => number), shown.map((_, index) => String(index + 1)));
  assert.ok(cues.every(([, times]) => /^00:00:\d\d,\d{3} --> 00:00:\d\d,\d{3}$/.test(times)), srt.text);
  assert.deepEqual(cues.map(([, , ...text]) => text.join(' ')), shown);
  assert.deepEqual(complaints, []);
});

test('a recording that is dropped becomes text, and the same files that the command writes', { skip }, async (t) => {
  const { page, complaints } = await visit(t);
  await drop(page, '/testdata/jfk.wav', 'speech.wav');
  await status(page, /^Done: 0:11 of audio/);
  assert.deepEqual(await lines(page), [JFK]);

  /** @type {Record<string, string>} */
  const files = {};
  for (const format of ['TXT', 'SRT', 'VTT', 'JSON']) {
    const { name, text } = await saved(page, () => page.getByRole('button', { name: format }).click());
    files[name] = text;
  }
  assert.deepEqual(Object.keys(files), ['speech.txt', 'speech.srt', 'speech.vtt', 'speech.json']);
  const { toSrt, toVtt } = await import(join(DIST, 'formats.js'));
  const { text, segments } = JSON.parse(files['speech.json'] ?? '');
  assert.equal(text.trim(), JFK);
  assert.equal(files['speech.txt'], `${JFK}\n`);
  const transcript = {
    text: JFK,
    segments: segments.map((/** @type {any} */ { start, end, text }) => ({ startS: start, endS: end, text: text.trim(), words: [], guards: [], tokens: [] })),
  };
  assert.equal(files['speech.srt'], toSrt(transcript));
  assert.equal(files['speech.vtt'], toVtt(transcript));
  assert.deepEqual(complaints, []);
});

test('what is no recording is refused, and the page goes on', { skip }, async (t) => {
  const { page } = await visit(t);
  await drop(page, '/testdata/jfk.wav', 'speech.wav');
  await status(page, /^Done/);
  await drop(page, '/testdata/README.md', 'speech.mp3');
  const alert = page.getByRole('alert');
  await alert.filter({ hasText: 'cannot be read' }).waitFor();
  assert.deepEqual(await lines(page), [JFK]);
  assert.deepEqual(await violations(page), []);
  await page.getByRole('button', { name: 'Dismiss' }).click();
  await page.getByRole('button', { name: 'Try a sample', exact: true }).click();
  await status(page, /^Done/);
  assert.deepEqual(await page.locator('#take option').allTextContents(), ['speech.wav', 'John F. Kennedy, 1961.wav']);
  await page.locator('#take').selectOption('speech.wav');
  assert.deepEqual(await lines(page), [JFK]);
});

test('a microphone that is not allowed is told, with what to do', { skip }, async (t) => {
  const strict = await launch();
  t.after(() => strict.close());
  const { page } = await openDemo(strict, site);
  await page.getByRole('button', { name: 'Start' }).click();
  const alert = page.getByRole('alert');
  await alert.waitFor();
  assert.match((await alert.textContent()) ?? '', /[Mm]icrophone/);
  await page.getByRole('button', { name: 'Start' }).waitFor();
});

test('the badge appears once all is kept, and then the page works without a network', { skip }, async (t) => {
  const site = await serveDemo(MADE);
  t.after(() => site.close());
  const { page, context } = await openDemo(browser, site);
  t.after(() => context.close());
  assert.equal(await page.locator('#badge').isVisible(), false);
  await page.getByRole('button', { name: 'Try a sample', exact: true }).click();
  await status(page, /^Done/);
  await badge(page);

  await site.close();
  await context.setOffline(true);
  await page.reload();
  await status(page, /^Ready\.$/);
  await badge(page);
  await page.getByText('nothing leaves this browser').click();
  assert.match((await page.locator('#badge-checks').textContent()) ?? '', /29\.5 MB.*SHA-256.*files.*policy/);
  await page.keyboard.press('Escape');
  assert.equal(await page.locator('#badge-checks').isVisible(), false);
  await page.getByRole('button', { name: 'Try a sample', exact: true }).click();
  await status(page, /^Done/);
  assert.deepEqual(await lines(page), [JFK]);
});

test('a service worker that does not answer keeps the badge away, and nothing else', { skip }, async (t) => {
  const { page, context } = await visit(t);
  await page.waitForFunction(() => navigator.serviceWorker.controller !== null);
  await context.addInitScript(() => {
    ServiceWorker.prototype.postMessage = () => undefined;
  });
  await page.reload();
  await status(page, /^Ready\./);
  await page.getByRole('button', { name: 'Try a sample', exact: true }).click();
  await status(page, /^Done/);
  assert.deepEqual(await lines(page), [JFK]);
  assert.equal(await page.locator('#badge').isVisible(), false);
});

test('a model is deleted, and downloaded again when it is needed', { skip }, async (t) => {
  const { page } = await visit(t);
  const downloads = () => site.requests.filter((path) => path.startsWith(`${PATH}models/`)).length;
  const before = downloads();
  await page.getByRole('button', { name: 'Try a sample', exact: true }).click();
  await status(page, /^Done/);
  assert.equal(downloads(), before + 1);
  await badge(page);
  await page.getByRole('button', { name: 'Delete' }).click();
  await status(page, /^Deleted: 29\.5 MB/);
  await page.getByText('Not on this device yet').waitFor();
  assert.equal(await page.locator('#badge').isVisible(), false);
  await page.reload();
  await status(page, /^Ready\. The first start downloads/);
  await page.getByRole('button', { name: 'Try a sample', exact: true }).click();
  await status(page, /^Done/);
  assert.equal(downloads(), before + 2);
});

test('a model is deleted while it is loaded unasked, and nothing is wrong', { skip }, async (t) => {
  const { page } = await visit(t);
  await page.getByRole('button', { name: 'Try a sample', exact: true }).click();
  await status(page, /^Done/);
  await page.reload();
  await page.getByRole('button', { name: 'Delete' }).click();
  await status(page, /^Deleted/);
  assert.deepEqual(await page.getByRole('alert').allTextContents(), []);
});

test('a download is cancelled, and goes on at the next start', { skip }, async (t) => {
  const { page, context } = await visit(t);
  const model = '**/*.gguf';
  const file = await readFile(MODEL);
  const headers = { 'content-type': 'application/octet-stream', 'content-length': String(file.length) };
  // The first answer ends early, and the rest is never answered: the download hangs.
  await context.route(model, async (route) => {
    if (route.request().headers()['range'] === undefined) {
      await route.fulfill({ headers, body: file.subarray(0, 1_000_000) });
    }
  });
  const asked = page.waitForRequest((request) => request.headers()['range'] === 'bytes=1000000-');
  await page.getByRole('button', { name: 'Start' }).click();
  await asked;
  await page.getByRole('button', { name: 'Cancel' }).click();
  await status(page, /^Cancelled/);
  assert.deepEqual(await page.getByRole('alert').allTextContents(), []);
  await page.reload();
  await page.getByText('1.0 MB of 29.5 MB on this device').waitFor();
  await context.unroute(model);
  await page.getByRole('button', { name: 'Try a sample', exact: true }).click();
  await status(page, /^Done/);
});

test('the device is measured when it is asked to be', { skip }, async (t) => {
  const { page } = await visit(t);
  await page.locator('#device summary').click();
  await page.getByText('WebAssembly', { exact: true }).waitFor();
  await page.getByRole('button', { name: 'Measure its speed' }).click();
  await page.locator('#report').getByText('Real-time factor').waitFor();
  assert.match((await page.locator('#device-summary').textContent()) ?? '', /speech/);
});

const folder = process.env['AURICLE_SCREENSHOTS'];
const noPictures = skip || (folder === undefined && 'AURICLE_SCREENSHOTS names no folder for the pictures');

test('pictures of the page are taken while somebody speaks', { skip: noPictures }, async (t) => {
  const browser = await launch({ microphone: `${sample('two_cities.wav')}%noloop` });
  t.after(() => browser.close());
  const { page } = await openDemo(browser, site, { viewport: { width: 1280, height: 800 }, deviceScaleFactor: 2 });
  await page.getByRole('button', { name: 'Start' }).click();
  await badge(page);
  await page.locator('#segments li').nth(3).waitFor();
  await mkdir(/** @type {string} */ (folder), { recursive: true });
  /** @param {string} name */
  const picture = async (name) => {
    await page.mouse.move(0, 0);
    await page.locator('#live-unsettled').filter({ hasText: /\w+ \w+ \w+ \w+/ }).waitFor();
    await page.screenshot({ path: join(/** @type {string} */ (folder), `${name}.png`) });
  };
  await picture('desktop');
  await page.emulateMedia({ colorScheme: 'dark' });
  await picture('dark');
  await page.emulateMedia({ colorScheme: 'light' });
  await page.setViewportSize({ width: 390, height: 844 });
  await picture('phone');
});

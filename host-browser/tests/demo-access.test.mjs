/** The demo page for everybody: by keyboard, with assistive technology, on a narrow phone. */

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { launch } from './support/chromium.mjs';
import { assemble, badge, openDemo, saved, serveDemo, status, violations } from './support/demo.mjs';
import { TARGET, testdata, unless } from './support/place.mjs';

const skip = unless('package', 'model', 'chromium');
const MADE = join(TARGET, 'demo-test/access');

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

test('all of it goes by keyboard', { skip }, async (t) => {
  const { page } = await visit(t);
  /** @param {string} selector */
  const tabTo = async (selector) => {
    for (let presses = 0; presses < 40; presses += 1) {
      await page.keyboard.press('Tab');
      if (await page.evaluate((selector) => document.activeElement?.matches(selector), selector)) {
        return;
      }
    }
    assert.fail(`no ${selector} among the first 40 stops`);
  };
  await tabTo('.skip');
  await page.keyboard.press('Enter');
  assert.equal(await page.evaluate(() => document.activeElement?.id), 'start');
  await page.keyboard.press('Enter');
  await status(page, /^Listening/);
  await page.locator('#segments li').first().waitFor();
  await page.keyboard.press('Space');
  await status(page, /^Stopped/);
  await tabTo('#transcript');
  await tabTo('[data-format="srt"]');
  const { text } = await saved(page, () => page.keyboard.press('Enter'));
  assert.match(text, /-->/);
  await tabTo('#delete');
  await page.keyboard.press('Enter');
  await status(page, /^Deleted/);
  assert.equal(await page.evaluate(() => document.activeElement?.id), 'start');
});

for (const colorScheme of /** @type {const} */ (['light', 'dark'])) {
  test(`there is nothing that axe-core finds wrong, in the ${colorScheme}`, { skip }, async (t) => {
    const { page } = await visit(t, { colorScheme });
    assert.deepEqual(await violations(page), []);
    await page.getByRole('button', { name: 'Start' }).click();
    await page.locator('#live-unsettled').filter({ hasText: /\w/ }).waitFor();
    assert.deepEqual(await violations(page), []);
    await page.getByRole('button', { name: 'Stop' }).click();
    await status(page, /^Stopped/);
    await page.getByRole('button', { name: 'Try a sample', exact: true }).click();
    await status(page, /^Done/);
    await badge(page);
    await page.locator('#badge summary').click();
    await page.locator('#device summary').click();
    assert.deepEqual(await violations(page), []);
  });
}

test('it fits a narrow phone', { skip }, async (t) => {
  const { page } = await visit(t, { viewport: { width: 320, height: 640 }, hasTouch: true });
  const overflow = () => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.equal(await overflow(), 0);
  await page.getByRole('button', { name: 'Try a sample', exact: true }).tap();
  await status(page, /^Done/);
  await badge(page);
  await page.locator('#badge summary').tap();
  await page.locator('#device summary').tap();
  assert.equal(await overflow(), 0);
});

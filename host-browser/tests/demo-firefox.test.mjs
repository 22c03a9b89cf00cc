/** The demo page in Firefox: with a network, and then without. */

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';

import puppeteer from 'puppeteer-core';

import { assemble, PATH, serveDemo } from './support/demo.mjs';
import { FIREFOX, TARGET, unless } from './support/place.mjs';

test('Firefox transcribes in the demo page, without its server too', { skip: unless('package', 'model', 'firefox') }, async (t) => {
  const folder = join(TARGET, 'demo-test/firefox');
  assemble(folder);
  const site = await serveDemo(folder);
  t.after(() => site.close());
  const browser = await puppeteer.launch({ browser: 'firefox', executablePath: /** @type {string} */ (FIREFOX), headless: true });
  t.after(() => browser.close());
  const page = await browser.newPage();
  await page.setViewport({ width: 1280, height: 800 });
  /** @type {string[]} */
  const said = [];
  page.on('pageerror', (error) => said.push(String(error)));

  /** @param {string} beginning */
  const status = (beginning) =>
    page.waitForFunction((beginning) => document.querySelector('#status')?.textContent?.startsWith(beginning), {}, beginning);

  for (const visit of ['first', 'second']) {
    await page.goto(site.origin + PATH);
    await status('Ready.');
    await page.click('.side [data-sample]');
    await status('Done');
    assert.match(await page.$eval('#segments', (list) => list.textContent ?? ''), /ask what you can do for your country/, visit);
    await page.waitForSelector('#badge:not([hidden])');
    await site.close();
  }
  assert.deepEqual(said, []);
});

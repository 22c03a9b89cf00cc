/** The same in Firefox, which `puppeteer-core` drives over WebDriver BiDi. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import puppeteer from 'puppeteer-core';

import { goldenHash, hash } from './support/bits.mjs';
import { FIREFOX, unless } from './support/place.mjs';
import { serveSite } from './support/site.mjs';

test('Firefox gives the same bits, and has the model at the second visit', { skip: unless('package', 'model', 'firefox') }, async (t) => {
  const site = await serveSite();
  t.after(() => site.close());
  const browser = await puppeteer.launch({ browser: 'firefox', executablePath: /** @type {string} */ (FIREFOX), headless: true });
  t.after(() => browser.close());
  const page = await browser.newPage();
  /** @type {string[]} */
  const said = [];
  page.on('pageerror', (error) => said.push(String(error)));
  page.on('console', (message) => message.type() === 'error' && said.push(message.text()));

  for (const visit of ['first', 'second']) {
    await page.goto(`${site.origin}/`);
    const { segments, store } = await page.evaluate(async () => {
      const { Auricle } = await import(/** @type {any} */ ('/auricle/index.js'));
      const auricle = await Auricle.load();
      const { segments } = await auricle.transcribe('/testdata/jfk.wav', { endpointing: null });
      const { store } = auricle.engine;
      auricle.close();
      return { segments, store };
    });
    assert.equal(hash(segments), await goldenHash('jfk'), visit);
    console.log(`Firefox ${(await browser.version()).replace('firefox/', '')}, ${visit} visit: the model is kept in ${store}`);
  }
  assert.equal(site.requests.filter((path) => path.endsWith('.gguf')).length, 1);
  assert.deepEqual(said, []);
});

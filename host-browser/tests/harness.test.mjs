/** The harness itself: pages are served as an ordinary host serves them, and under the strict policy. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { launch } from './support/chromium.mjs';
import { unless } from './support/place.mjs';
import { openPage, serveSite } from './support/site.mjs';

test('a page is not isolated, and its policy refuses inline scripts', { skip: unless('chromium') }, async (t) => {
  const site = await serveSite();
  t.after(() => site.close());
  const browser = await launch();
  t.after(() => browser.close());
  const { page, complaints } = await openPage(browser, site);

  assert.equal(await page.evaluate(() => crossOriginIsolated), false);
  assert.equal(await page.evaluate(() => 'SharedArrayBuffer' in globalThis), false);
  assert.deepEqual(complaints, []);
  const refused = await page.evaluate(async () => {
    const violation = new Promise((resolve) => {
      document.addEventListener('securitypolicyviolation', (event) => resolve(event.effectiveDirective));
    });
    const script = document.createElement('script');
    script.textContent = 'globalThis.ran = true';
    document.head.append(script);
    return await violation;
  });
  assert.equal(refused, 'script-src-elem');
});

test('ranges and entity tags are served', async (t) => {
  const site = await serveSite();
  t.after(() => site.close());
  const whole = await fetch(`${site.origin}/testdata/jfk.wav`);
  assert.equal(whole.status, 200);
  assert.match(whole.headers.get('etag') ?? '', /^W\/"/);
  assert.equal(whole.headers.get('cross-origin-embedder-policy'), null);
  const range = await fetch(`${site.origin}/testdata/jfk.wav`, { headers: { range: 'bytes=4-11' } });
  assert.equal(range.status, 206);
  assert.equal(Buffer.from(await range.arrayBuffer()).subarray(4).toString(), 'WAVE');
  assert.equal((await fetch(`${site.origin}/testdata/nothing`)).status, 404);
  assert.deepEqual(site.requests, ['/testdata/jfk.wav', '/testdata/jfk.wav', '/testdata/nothing']);
});

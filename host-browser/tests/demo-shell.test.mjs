/** The demo page's service worker: what it keeps, and how one version follows another. */

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { launch } from './support/chromium.mjs';
import { assemble, openDemo, PATH, serveDemo } from './support/demo.mjs';
import { TARGET, unless } from './support/place.mjs';

const skip = unless('package', 'chromium');
const MADE = join(TARGET, 'demo-test/shell');

/** @type {import('playwright-core').Browser | undefined} */
let browser;

before(async () => {
  if (!skip) {
    assemble(MADE);
    browser = await launch();
  }
});

after(() => browser?.close());

/**
 * A copy of the page, served, and opened until the service worker has all of it.
 *
 * @param {import('node:test').TestContext} t
 * @param {import('../scripts/server.mjs').Options} [options]
 */
async function visit(t, options) {
  const folder = join(TARGET, 'demo-test', t.name.replaceAll(/\W+/g, '-'));
  await cp(MADE, folder, { recursive: true });
  const site = await serveDemo(folder, options);
  t.after(() => site.close());
  const opened = await openDemo(/** @type {import('playwright-core').Browser} */ (browser), site);
  t.after(() => opened.context.close());
  await opened.page.evaluate(() => navigator.serviceWorker.ready);
  await opened.page.waitForFunction(() => navigator.serviceWorker.controller !== null);
  return { folder, site, ...opened };
}

/**
 * Another title for the page; with `honest`, the service worker knows of it.
 *
 * @param {string} folder
 * @param {boolean} honest
 */
async function publish(folder, honest) {
  const digest = (/** @type {string} */ text) => createHash('sha256').update(text).digest('hex');
  const [html, script] = await Promise.all(['index.html', 'sw.js'].map((name) => readFile(join(folder, name), 'utf8')));
  const changed = html.replace(/<title>.*<\/title>/, '<title>Second edition</title>');
  await writeFile(join(folder, 'index.html'), changed);
  const version = script.replace(/(?<=VERSION = ').{8}/, 'ffffffff');
  await writeFile(join(folder, 'sw.js'), honest ? version.replace(digest(html), digest(changed)) : version);
}

test('the page opens without its server', { skip }, async (t) => {
  const { page, site, context } = await visit(t);
  const title = await page.title();
  await site.close();
  await context.setOffline(true);
  await page.reload();
  assert.equal(await page.title(), title);
  await page.locator('#status').filter({ hasText: /^Ready\./ }).waitFor();
});

test('only the files of the page are kept: not the model, and nothing that is beside it', { skip }, async (t) => {
  const { page, site } = await visit(t);
  await page.evaluate(() => fetch('models/nothing.gguf'));
  await page.evaluate(() => fetch('models/nothing.gguf'));
  assert.equal(site.requests.filter((path) => path === `${PATH}models/nothing.gguf`).length, 2);
  const kept = await page.evaluate(async () => {
    const caches = await globalThis.caches.keys();
    const requests = await Promise.all(caches.map(async (name) => (await globalThis.caches.open(name)).keys()));
    return requests.flat().map(({ url }) => new URL(url).pathname);
  });
  assert.ok(kept.includes(`${PATH}index.html`) && kept.includes(`${PATH}page/main.js`));
  assert.deepEqual(kept.filter((path) => !path.startsWith(PATH) || /\/models\/|\.d\.ts$|\/sw\.js$/.test(path)), []);
});

test('what is kept has a policy, though the server sends none', { skip }, async (t) => {
  const { page } = await visit(t, { csp: '' });
  const policy = await page.evaluate(async () => (await fetch('dist/index.js')).headers.get('content-security-policy'));
  assert.match(policy ?? '', /^default-src 'self'; .*connect-src 'self'/);
});

test('a new version waits until the visitor wants it, and then replaces the old one whole', { skip }, async (t) => {
  const { page, folder } = await visit(t);
  const title = await page.title();
  await publish(folder, true);
  await page.reload();
  const reload = page.getByRole('button', { name: 'Reload' });
  await reload.waitFor();
  assert.equal(await page.title(), title);
  await Promise.all([page.waitForEvent('load'), reload.click()]);
  assert.equal(await page.title(), 'Second edition');
  assert.equal((await page.evaluate(() => caches.keys())).length, 1);
});

test('a version whose files are not all there, as in the midst of an upload, is not taken', { skip }, async (t) => {
  const { page, folder } = await visit(t);
  const title = await page.title();
  await publish(folder, false);
  const state = await page.evaluate(async () => {
    const registration = await navigator.serviceWorker.ready;
    const found = new Promise((resolve) => registration.addEventListener('updatefound', () => resolve(registration.installing)));
    await registration.update().catch(() => undefined);
    const installing = /** @type {ServiceWorker} */ (await found);
    if (installing.state === 'installing') {
      await new Promise((resolve) => installing.addEventListener('statechange', resolve, { once: true }));
    }
    return installing.state;
  });
  assert.equal(state, 'redundant');
  await page.reload();
  assert.equal(await page.title(), title);
});

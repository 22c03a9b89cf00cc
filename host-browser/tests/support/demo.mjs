/** The demo page, made and served for a test, and what a visitor does with it. */

import { execFileSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';

import { serve } from '../../scripts/server.mjs';
import { complaints } from './chromium.mjs';
import { MODELS, PACKAGE, testdata } from './place.mjs';

/** Where the page is put: not at the root, since it must work anywhere. */
export const PATH = '/some/where/';

/**
 * Makes the page in this folder.
 *
 * @param {string} folder
 */
export function assemble(folder) {
  execFileSync(process.execPath, [join(PACKAGE, 'scripts/demo.mjs'), folder], { stdio: 'inherit' });
}

/**
 * Serves the page with the model, and `testdata` beside it.
 *
 * @param {string} folder
 * @param {import('../../scripts/server.mjs').Options} [options]
 */
export function serveDemo(folder, options) {
  return serve({ [PATH]: folder, [`${PATH}models/`]: MODELS, '/testdata/': testdata('') }, options);
}

/**
 * Opens the page in a context of its own, and waits until it says that it is ready.
 *
 * @param {import('playwright-core').Browser} browser
 * @param {{ origin: string }} site
 * @param {import('playwright-core').BrowserContextOptions} [options]
 */
export async function openDemo(browser, { origin }, options) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const said = complaints(page);
  await page.goto(origin + PATH);
  await status(page, /^Ready\./);
  return { context, page, complaints: said };
}

/**
 * Waits until the status says this.
 *
 * @param {import('playwright-core').Page} page
 * @param {RegExp} pattern
 */
export async function status(page, pattern) {
  await page.locator('#status').filter({ hasText: pattern }).waitFor();
}

/**
 * Waits for the badge.
 *
 * @param {import('playwright-core').Page} page
 */
export async function badge(page) {
  await page.locator('#badge').waitFor({ state: 'visible' });
}

/**
 * The finished lines.
 *
 * @param {import('playwright-core').Page} page
 */
export function lines(page) {
  return page.locator('#segments .words').allTextContents();
}

/**
 * Has the transcript saved, and reads it.
 *
 * @param {import('playwright-core').Page} page
 * @param {() => Promise<void>} act What makes the browser save it.
 * @returns {Promise<{ name: string; text: string }>}
 */
export async function saved(page, act) {
  const [download] = await Promise.all([page.waitForEvent('download'), act()]);
  return { name: download.suggestedFilename(), text: await readFile(await download.path(), 'utf8') };
}

/**
 * Drops a file that the site serves onto the page.
 *
 * @param {import('playwright-core').Page} page
 * @param {string} url
 * @param {string} name
 */
export async function drop(page, url, name) {
  const dataTransfer = await page.evaluateHandle(
    async ({ url, name }) => {
      const transfer = new DataTransfer();
      transfer.items.add(new File([await (await fetch(url)).blob()], name));
      return transfer;
    },
    { url, name },
  );
  await page.dispatchEvent('main', 'dragenter', { dataTransfer });
  await page.locator('#veil').waitFor({ state: 'visible' });
  await page.dispatchEvent('main', 'drop', { dataTransfer });
  await page.locator('#veil').waitFor({ state: 'hidden' });
}

/** @type {string | undefined} */
let axe;

/**
 * What axe-core finds wrong with the page as it is now, by the rules of WCAG 2.2 A and AA and by its best practices.
 *
 * @param {import('playwright-core').Page} page
 * @returns {Promise<string[]>}
 */
export async function violations(page) {
  axe ??= await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
  // Through the debugger: the page's policy refuses scripts from elsewhere.
  const session = await page.context().newCDPSession(page);
  const expression = `${axe};axe.run(document).then(({ violations }) => violations)`;
  const { result, exceptionDetails } = await session.send('Runtime.evaluate', {
    expression,
    awaitPromise: true,
    returnByValue: true,
  });
  await session.detach();
  if (exceptionDetails !== undefined) {
    throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
  }
  /** @type {{ id: string; nodes: { target: string[]; failureSummary: string }[] }[]} */
  const found = result.value;
  return found.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.target.join(' ')}: ${node.failureSummary}`));
}

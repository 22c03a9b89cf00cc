/** A site as a page of Auricle's needs it: an empty page, the package, and the model files. */

import { serve } from '../../scripts/server.mjs';
import { DIST, MODELS, ROOT } from './place.mjs';
import { complaints } from './chromium.mjs';

/**
 * Serves the empty page at `/`, the package at `/auricle/`, model files at `/models/` and `testdata` at `/testdata/`, under
 * the strict policy.
 *
 * @param {Record<string, string>} [folders] More folders, by path.
 * @param {import('../../scripts/server.mjs').Options} [options]
 */
export function serveSite(folders = {}, options = {}) {
  const pages = new URL('../pages/', import.meta.url).pathname;
  const all = { '/': pages, '/auricle/': DIST, '/models/': MODELS, '/testdata/': `${ROOT}testdata`, ...folders };
  return serve(all, options);
}

/**
 * Opens the empty page in a context of its own, whose storage nobody else sees.
 *
 * @param {import('playwright-core').Browser} browser
 * @param {{ origin: string }} site
 */
export async function openPage(browser, { origin }) {
  const context = await browser.newContext();
  const page = await context.newPage();
  const said = complaints(page);
  await page.goto(`${origin}/`);
  return { context, page, complaints: said };
}

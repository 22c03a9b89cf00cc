/** Pages in Debian's Chromium. */

import { chromium } from 'playwright-core';

import { CHROMIUM } from './place.mjs';

const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/**
 * Starts a browser.
 *
 * @param {object} [options]
 * @param {string} [options.microphone] A WAV that the microphone hears, over and over; the page needs not ask for it. With
 *   `%noloop` at its end, once.
 * @param {string[]} [options.flags] More flags.
 * @returns {Promise<import('playwright-core').Browser>}
 */
export function launch({ microphone, flags = [] } = {}) {
  const fake = ['--use-fake-ui-for-media-stream', '--use-fake-device-for-media-stream'];
  const hearing = microphone === undefined ? [] : [...fake, `--use-file-for-fake-audio-capture=${microphone}`];
  return chromium.launch({ executablePath: /** @type {string} */ (CHROMIUM), args: [...FLAGS, ...hearing, ...flags] });
}

/**
 * Notes what a page complains of: errors on its console, uncaught ones, and what the policy refused.
 *
 * @param {import('playwright-core').Page} page
 * @returns {string[]} To be looked at when all is done.
 */
export function complaints(page) {
  /** @type {string[]} */
  const said = [];
  page.on('pageerror', (error) => said.push(error.stack ?? error.message));
  page.on('console', (message) => {
    // No page here has an icon.
    if (message.type() === 'error' && !message.location().url.endsWith('/favicon.ico')) {
      said.push(`${message.text()} (${message.location().url})`);
    }
  });
  return said;
}

/** Microphones that cannot be had, each for its reason. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { openAuricle } from './support/auricle.mjs';
import { launch } from './support/chromium.mjs';
import { unless } from './support/place.mjs';
import { serveSite } from './support/site.mjs';

const skip = unless('package', 'model', 'chromium');

const FAKE_DEVICE = '--use-fake-device-for-media-stream';
const FAKE_CONSENT = '--use-fake-ui-for-media-stream';

/**
 * What becomes of `listen` in a browser with these flags.
 *
 * @param {import('node:test').TestContext} t
 * @param {string[]} flags
 * @param {object} options For `listen`.
 * @param {string} [host] By which the page is reached.
 */
async function outcomeOfListening(t, flags, options = {}, host = '127.0.0.1') {
  const site = await serveSite();
  t.after(() => site.close());
  const browser = await launch({ flags });
  t.after(() => browser.close());
  const origin = site.origin.replace(/\/\/[^:]*/, `//${host}`);
  const { page } = await openAuricle(browser, { origin });
  return await page.evaluate((options) => {
    const { auricle, outcome } = /** @type {any} */ (globalThis);
    return outcome(auricle.listen(options)).then((/** @type {string} */ text) => `${text}, ${auricle.engine.store}`);
  }, options);
}

test('a microphone that is not allowed', { skip }, async (t) => {
  const outcome = await outcomeOfListening(t, [FAKE_DEVICE, '--deny-permission-prompts']);
  assert.equal(outcome, 'MicrophoneError permission-denied, opfs');
});

test('a device that is not there', { skip }, async (t) => {
  const outcome = await outcomeOfListening(t, [FAKE_DEVICE, FAKE_CONSENT], { deviceId: 'nothing' });
  assert.equal(outcome, 'MicrophoneError not-found, opfs');
});

test('a page that is not secure has no microphone, and keeps no model', { skip }, async (t) => {
  const flags = [FAKE_DEVICE, FAKE_CONSENT, '--host-resolver-rules=MAP auricle.example 127.0.0.1'];
  const outcome = await outcomeOfListening(t, flags, {}, 'auricle.example');
  assert.equal(outcome, 'MicrophoneError insecure-context, memory');
});

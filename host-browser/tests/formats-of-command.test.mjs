/** The same recording, written by a page in Chromium and by the command: the files are the same, byte for byte. */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';

import { launch } from './support/chromium.mjs';
import { COMMAND, HOME, testdata, unless } from './support/place.mjs';
import { openPage, serveSite } from './support/site.mjs';

/** @typedef {typeof import('../dist/index.js')} Package */

const skip = unless('package', 'model', 'chromium', 'command');

/**
 * A file of the command's. On its standard output, JSON has a line feed more.
 *
 * @param {string} format
 * @param {string[]} options
 */
async function written(format, ...options) {
  const folder = await mkdtemp(join(tmpdir(), 'auricle-formats-'));
  try {
    const all = ['transcribe', '--quiet', testdata('jfk.wav'), '-f', format, '-o', folder, ...options];
    await promisify(execFile)(COMMAND, all, { env: { ...process.env, AURICLE_HOME: HOME } });
    return await readFile(join(folder, `jfk.${format}`), 'utf8');
  } finally {
    await rm(folder, { recursive: true });
  }
}

test('a page writes the files that the command writes', { skip }, async (t) => {
  const site = await serveSite();
  t.after(() => site.close());
  const browser = await launch();
  t.after(() => browser.close());
  const { page } = await openPage(browser, site);
  const files = await page.evaluate(async () => {
    const module = /** @type {Package} */ (await import(/** @type {any} */ ('/auricle/index.js')));
    const { Auricle, toJson, toSrt, toTsv, toTxt, toVtt } = module;
    const auricle = await Auricle.load();
    const plain = await auricle.transcribe('/testdata/jfk.wav');
    const timed = await auricle.transcribe('/testdata/jfk.wav', { wordTimes: true });
    auricle.close();
    return {
      plain: { txt: toTxt(plain), vtt: toVtt(plain), srt: toSrt(plain), tsv: toTsv(plain), json: toJson(plain) },
      timed: { json: toJson(timed), vtt: toVtt(timed, { maxLineWidth: 20, maxLineCount: 2 }) },
    };
  });
  for (const [format, file] of Object.entries(files.plain)) {
    assert.equal(file, await written(format), format);
  }
  const words = '--word-timestamps';
  assert.equal(files.timed.json, await written('json', words));
  const layout = ['--max-line-width', '20', '--max-line-count', '2'];
  assert.equal(files.timed.vtt, await written('vtt', words, ...layout));
});

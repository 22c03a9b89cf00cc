/**
 * `node test.mjs [FILE…]`: runs these files of `tests`, or all, two at a time; those that measure time or hear in real
 * time, `*.alone.test.mjs`, one at a time after the others. All together may take so many minutes.
 */

import { readdir } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { fileURLToPath } from 'node:url';

/** More is a hang, and is ended. */
const LONGEST_MINUTES = 20;
/** The same for one test and for one file. */
const LONGEST_TEST_MINUTES = 4;

const MS_PER_MINUTE = 60_000;

const folder = fileURLToPath(new URL('../tests/', import.meta.url));
const named = process.argv.slice(2).map((file) => resolve(file));
const all = (await readdir(folder)).filter((name) => name.endsWith('.test.mjs')).map((name) => resolve(folder, name));
const files = named.length > 0 ? named : all;

const signal = AbortSignal.timeout(LONGEST_MINUTES * MS_PER_MINUTE);
const alone = files.filter((file) => file.endsWith('.alone.test.mjs'));
await runFiles(files.filter((file) => !alone.includes(file)), 2);
await runFiles(alone, 1);
if (signal.aborted) {
  console.error(`the tests took longer than ${LONGEST_MINUTES} minutes: what was left was not run`);
  process.exitCode = 1;
}

/**
 * Runs files, and prints how they went.
 *
 * @param {string[]} files
 * @param {number} concurrency
 */
async function runFiles(files, concurrency) {
  if (files.length === 0 || signal.aborted) {
    return;
  }
  console.log(files.map((file) => basename(file)).join(', '));
  const events = run({ files, concurrency, signal, timeout: LONGEST_TEST_MINUTES * MS_PER_MINUTE });
  events.on('test:fail', ({ todo }) => {
    if (todo === undefined || todo === false) {
      process.exitCode = 1;
    }
  });
  const report = new spec();
  events.pipe(report).pipe(process.stdout, { end: false });
  await new Promise((resolve) => report.once('end', resolve));
}

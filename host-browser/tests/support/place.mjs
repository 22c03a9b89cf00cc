/** Where everything is that the tests need. What is missing is told, and the test skipped; in CI, it fails. */

import { existsSync, readFileSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository. */
export const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

/** The npm package's folder. */
export const PACKAGE = join(ROOT, 'host-browser');

/** What `cargo xtask browser` makes. */
export const DIST = join(PACKAGE, 'dist');

/** Build results, as cargo decides it. */
export const TARGET = resolve(ROOT, process.env['CARGO_TARGET_DIR'] ?? 'target');

/** What `npm install` takes: `cargo xtask pack` makes it. */
export const TARBALL = join(TARGET, `auricle-${version()}.tgz`);

/** Models and samples, as `auricle` keeps them. */
export const HOME = resolve(ROOT, process.env['AURICLE_HOME'] ?? join(TARGET, 'auricle-home'));

/** The folder of model files: what a page's `modelsUrl` names. */
export const MODELS = join(HOME, 'models');

/** The default model's file. */
export const MODEL = join(MODELS, 'moonshine-tiny-en-q8.gguf');

/** The command, as tests build it. */
export const COMMAND = join(TARGET, 'release', process.platform === 'win32' ? 'auricle.exe' : 'auricle');

/**
 * A file of `testdata`.
 *
 * @param {string} name
 */
export const testdata = (name) => join(ROOT, 'testdata', name);

/**
 * A recording that came with the model: `beckett.wav` or `two_cities.wav`.
 *
 * @param {string} name
 */
export const sample = (name) => join(HOME, 'samples', name);

/**
 * A program: the one that the variable names, or the first of these on the PATH.
 *
 * @param {string} variable
 * @param {string[]} names
 * @returns {string | undefined}
 */
function program(variable, names) {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  const onPath = names.flatMap((name) => folders.map((folder) => join(folder, name))).find((file) => existsSync(file));
  return process.env[variable] ?? onPath;
}

/** The package's version. */
function version() {
  return JSON.parse(readFileSync(join(PACKAGE, 'package.json'), 'utf8')).version;
}

/** Chromium's program. */
export const CHROMIUM = program('CHROMIUM', ['chromium', 'chromium-browser', 'google-chrome']);

/** Firefox's program. */
export const FIREFOX = program('FIREFOX', ['firefox', 'firefox-esr']);

/** What a test can need: whether it is there, and how to get it. */
const NEEDS = {
  package: () => existsSync(join(DIST, 'index.js')) || 'there is no host-browser/dist: `cargo xtask browser` makes it',
  tarball: () => existsSync(TARBALL) || `there is no ${TARBALL}: \`cargo xtask pack\` makes it`,
  model: () => existsSync(MODEL) || `there is no ${MODEL}: \`cargo xtask demo\` gets it`,
  command: () => existsSync(COMMAND) || `there is no ${COMMAND}: \`cargo build --release --package auricle\` makes it`,
  chromium: () => CHROMIUM !== undefined || 'there is no Chromium on the PATH, and the variable CHROMIUM names none',
  firefox: () => FIREFOX !== undefined || 'there is no Firefox on the PATH, and the variable FIREFOX names none',
};

/**
 * For the `skip` of a test: why it cannot run, or `false`.
 *
 * @param {(keyof typeof NEEDS)[]} names
 * @returns {string | false}
 * @throws In CI, where what is missing would go unnoticed. Firefox is not demanded there.
 */
export function unless(...names) {
  const missing = names.filter((name) => NEEDS[name]() !== true);
  if (missing.length === 0) {
    return false;
  }
  const reason = missing.map((name) => NEEDS[name]()).join('; ');
  if (process.env['CI'] === 'true' && missing.some((name) => name !== 'firefox')) {
    throw new Error(reason);
  }
  return reason;
}

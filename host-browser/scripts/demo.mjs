/**
 * `node demo.mjs OUT [MODELS]`: makes the demo page in this folder, of `demo/`, of the package in `dist/`, which must have
 * been built, and of the catalog's models in the folder MODELS, without which it looks for them in `OUT/models` all the same.
 * What comes of it is static, and works wherever it is put.
 */

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { copyFile, cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, relative, resolve, sep } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const PACKAGE = fileURLToPath(new URL('../', import.meta.url));
const DEMO = join(PACKAGE, 'demo');
const TSC = join(PACKAGE, 'node_modules/typescript/bin/tsc');

/** What the page consists of besides its programs. */
const STATIC = ['index.html', 'icon.svg', 'manifest.webmanifest', 'style'];

/** What `assemble` makes anew; anything else in the folder, such as the models, stays. */
const MADE = [...STATIC, 'dist', 'page', 'samples', 'sw.js'];

const [out, models] = process.argv.slice(2).map((path) => resolve(path));
await assemble(out);
if (models !== undefined) {
  await copyModels(models, join(out, 'models'));
}

/** @param {string} out */
async function assemble(out) {
  for (const name of MADE) {
    await rm(join(out, name), { recursive: true, force: true });
  }
  await mkdir(join(out, 'samples'), { recursive: true });
  for (const project of ['demo', 'demo/service-worker']) {
    execFileSync(process.execPath, [TSC, '--project', join(PACKAGE, project), '--outDir', out], { stdio: 'inherit' });
  }
  for (const name of STATIC) {
    await cp(join(DEMO, name), join(out, name), { recursive: true });
  }
  await cp(join(PACKAGE, 'dist'), join(out, 'dist'), { recursive: true, filter: (path) => !path.endsWith('.d.ts') });
  await cp(join(PACKAGE, '../testdata/jfk.wav'), join(out, 'samples/jfk.wav'));
  await stamp(out);
}

/**
 * @param {string} from
 * @param {string} to
 */
async function copyModels(from, to) {
  const { CATALOG } = await import(pathToFileURL(join(PACKAGE, 'dist/catalog.js')).href);
  await mkdir(to, { recursive: true });
  for (const { file } of CATALOG) {
    await copyFile(join(from, file), join(to, file), constants.COPYFILE_FICLONE);
  }
}

/**
 * Writes into the service worker which files the page has, with their digests, and a version, which is the digest of it all.
 *
 * @param {string} out
 */
async function stamp(out) {
  const script = await readFile(join(out, 'sw.js'), 'utf8');
  /** @type {Record<string, string>} */
  const files = {};
  for (const path of await filesOf(out)) {
    files[path] = sha256(await readFile(join(out, path)));
  }
  const list = JSON.stringify(files, null, 2);
  const version = sha256(Buffer.from(list + script));
  await writeFile(join(out, 'sw.js'), `const VERSION = '${version}';\nconst FILES = ${list};\n\n${script}`);
}

/**
 * The page's own files, as addresses relative to it.
 *
 * @param {string} out
 */
async function filesOf(out) {
  const entries = await readdir(out, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(out, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .filter((path) => path !== 'sw.js' && MADE.includes(path.split('/')[0]))
    .sort();
}

/** @param {Uint8Array} bytes */
function sha256(bytes) {
  return createHash('sha256').update(bytes).digest('hex');
}

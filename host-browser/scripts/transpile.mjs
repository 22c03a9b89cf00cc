/**
 * `node transpile.mjs OUT FLAVOUR=COMPONENT…`: makes core modules of every flavour of the component, in `OUT/FLAVOUR`, and
 * the JavaScript that runs them, which is the same for all, in `OUT/auricle.js`.
 */

import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';

import { transpileBytes } from '@bytecodealliance/jco-transpile';

const [out, ...flavours] = process.argv.slice(2);
const folder = resolve(out);

/** What all flavours have in common, by its path in the folder. */
/** @type {Map<string, Buffer>} */
const common = new Map();

for (const [flavour, component] of flavours.map((flavour) => flavour.split('='))) {
  const { files } = await transpileBytes(await readFile(component), {
    name: 'auricle',
    outDir: folder,
    instantiation: 'async',
    // The one import is the clock, which the host's code gives: no shims.
    wasiShim: false,
    nodejsCompat: false,
    minify: true,
  });
  for (const [path, bytes] of Object.entries(files)) {
    const name = relative(folder, path);
    if (name.endsWith('.wasm')) {
      await write(join(folder, flavour, name), bytes);
    } else if (common.has(name)) {
      if (!common.get(name)?.equals(bytes)) {
        throw new Error(`${name} of ${flavour} is not that of the other flavours: there can be only one`);
      }
    } else {
      common.set(name, Buffer.from(bytes));
    }
  }
}
for (const [name, bytes] of common) {
  await write(join(folder, name), bytes);
}

/**
 * Writes a file, and makes its folder.
 *
 * @param {string} path
 * @param {Uint8Array} bytes
 */
async function write(path, bytes) {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, bytes);
}

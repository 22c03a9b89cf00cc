/** `node transpile.mjs COMPONENT NAME`: makes JavaScript and core modules of a component, in `build/NAME`. */

import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

import { transpileBytes } from '@bytecodealliance/jco-transpile';

const [component, name] = process.argv.slice(2);
const { files } = await transpileBytes(await readFile(component), {
  name: 'auricle',
  outDir: fileURLToPath(new URL(`build/${name}`, import.meta.url)),
  instantiation: 'async',
  // The one import is the clock, which the host's code gives: no shims.
  wasiShim: false,
  nodejsCompat: false,
});
for (const [path, bytes] of Object.entries(files)) {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, bytes);
}

/**
 * `node transpile.mjs OUT FLAVOUR=COMPONENT…`: makes JavaScript and core modules of the component, in the folder `OUT`.
 *
 * A component is one large core module, the engine, and some of a few hundred bytes that join it to its imports. Each
 * flavour's engine becomes `FLAVOUR.wasm`. The JavaScript is the same for all, in `auricle.js`, as are the small modules,
 * which `modules.js` holds as they are: a bundler would make `data:` addresses of such small files, and a strict policy
 * refuses those. It also has the one thing that the component imports, a clock.
 */

import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';

import { transpileBytes } from '@bytecodealliance/jco-transpile';

/** A core module of fewer bytes is kept in JavaScript. */
const SMALL_BYTES = 4096;

/** What the component imports. */
const CLOCK = 'wasi:clocks/monotonic-clock@0.2.0';

const [out, ...builds] = process.argv.slice(2);
const folder = resolve(out);
const flavours = builds.map((build) => build.split('='));

/** What all flavours have in common, by its path in the folder. */
/** @type {Map<string, Buffer>} */
const common = new Map();

for (const [flavour, component] of flavours) {
  const { files } = await transpileBytes(await readFile(component), {
    name: 'auricle',
    outDir: folder,
    instantiation: 'async',
    // The one import is the clock, which the host's code gives: no shims.
    wasiShim: false,
    nodejsCompat: false,
    minify: true,
  });
  const large = Object.values(files).filter((bytes) => bytes.length >= SMALL_BYTES && isModule(bytes));
  if (large.length !== 1) {
    throw new Error(`${component} has ${large.length} large core modules: there should be one`);
  }
  await write(`${flavour}.wasm`, large[0]);
  for (const [path, bytes] of Object.entries(files).filter(([, bytes]) => bytes !== large[0])) {
    const name = relative(folder, path);
    if (!(common.get(name)?.equals(bytes) ?? true)) {
      throw new Error(`${name} of ${flavour} is not that of the other flavours: there can be only one`);
    }
    common.set(name, Buffer.from(bytes));
  }
}

const [small, others] = [true, false].map((wanted) => [...common].filter(([, bytes]) => isModule(bytes) === wanted));
for (const [name, bytes] of others) {
  await write(name, name === 'auricle.js' ? forBundlers(bytes.toString()) : bytes);
}
await write('modules.js', javascript());
await write('modules.d.ts', types());

/**
 * Removes what bundlers stumble over and nothing here needs: how jco finds core modules by itself, which they take for a
 * wish to have every file of the folder, and a directive that none of them knows.
 *
 * @param {string} javascript
 */
function forBundlers(javascript) {
  const byItself = /getCoreModule\|\|\(getCoreModule=(\w+)=>fetchCompile\(new URL\(`\.\/\$\{\1\}`,import\.meta\.url\)\)\);/;
  const without = javascript.replace(byItself, '').replace(/^"use components";/, '');
  if (/import\.meta|^.use /.test(without)) {
    throw new Error('jco writes other JavaScript than before');
  }
  return without;
}

/**
 * What `instantiate` is given: the core modules as a program finds them, the addresses in the form that bundlers know; the
 * clock; and how a core module is joined to it, which is without what jco puts before an import. That keeps books for imports
 * that wait, and takes far longer than a look at the clock, of which there are some in every step.
 */
function javascript() {
  return `const bytes = (base64) => Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
export const engine = {
${flavours.map(([flavour]) => `  '${flavour}': new URL('./${flavour}.wasm', import.meta.url),`).join('\n')}
};
export const small = {
${small.map(([name, bytes]) => `  '${name}': bytes('${bytes.toString('base64')}'),`).join('\n')}
};
const clock = {
  now: () => BigInt(Math.round(performance.now() * 1e6)),
  resolution: () => 1_000_000n,
};
export const imports = { '${CLOCK}': clock, '${CLOCK.split('@')[0]}': clock };
export const instantiateCore = (module, imports = {}) =>
  WebAssembly.instantiate(module, '${CLOCK}' in imports ? { ...imports, '${CLOCK}': { now: clock.now } } : imports);
`;
}

function types() {
  return `import type { ImportObject } from './auricle.js';
/** Where the engine's core module is. */
export declare const engine: Record<${flavours.map(([flavour]) => `'${flavour}'`).join(' | ')}, URL>;
/** All other core modules, by the names that \`instantiate\` asks for; any other name is the engine's. */
export declare const small: Record<string, Uint8Array<ArrayBuffer> | undefined>;
/** The second argument of \`instantiate\`: a clock, by the name that its types have and by the one that its code reads. */
export declare const imports: ImportObject;
/** The third argument of \`instantiate\`. */
export declare function instantiateCore(
  module: WebAssembly.Module,
  imports?: WebAssembly.Imports,
): Promise<WebAssembly.Instance>;
`;
}

/**
 * Whether it is WebAssembly.
 *
 * @param {Uint8Array} bytes
 */
function isModule(bytes) {
  return Buffer.from(bytes.subarray(0, 4)).equals(Buffer.from('\0asm'));
}

/**
 * Writes a file of the folder, where that changes it: what depends on it need not be made again.
 *
 * @param {string} name
 * @param {Uint8Array | string} content
 */
async function write(name, content) {
  const path = join(folder, name);
  const bytes = Buffer.from(content);
  const before = await readFile(path).catch(() => undefined);
  if (!before?.equals(bytes)) {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, bytes);
  }
}

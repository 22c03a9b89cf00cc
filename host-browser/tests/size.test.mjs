/** What a page downloads before the model. */

import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';

import { DIST, unless } from './support/place.mjs';

/** All JavaScript, the shim, and the larger flavour of the engine, compressed. */
const MOST_BYTES = 900_000;

const ENGINES = ['engine/simd128.wasm', 'engine/relaxed-simd.wasm'];

test('the package with one flavour of the engine is at most 900 kB, compressed', { skip: unless('package') }, async () => {
  const names = await readdir(DIST, { recursive: true });
  const sizes = await Promise.all(
    names
      .filter((name) => ['.js', '.wasm'].includes(extname(name)))
      .map(async (name) => /** @type {const} */ ([name, gzipSync(await readFile(join(DIST, name)), { level: 9 }).length])),
  );
  /** @param {(name: string) => boolean} wanted */
  const sum = (wanted) => sizes.reduce((sum, [name, bytes]) => (wanted(name) ? sum + bytes : sum), 0);

  const engine = Math.max(...ENGINES.map((engine) => sum((name) => name === engine)));
  const shim = sum((name) => name.startsWith('shim/'));
  const glue = sum((name) => name.startsWith('engine/') && extname(name) === '.js');
  const face = sum((name) => !/^(engine|shim)\//.test(name));
  const total = engine + shim + glue + face;
  console.log(`gzip -9: ${total} bytes: engine ${engine}, its JavaScript ${glue}, shim ${shim}, face ${face}`);
  assert.ok(Math.min(engine, shim, glue, face) > 0, 'nothing is missing');
  assert.ok(total <= MOST_BYTES, `${total} bytes`);
});

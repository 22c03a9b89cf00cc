/**
 * `node kernels.mjs MODULE`: times the kernels of a core module as standard input orders, see `src/kernels`, and writes
 * what they took to standard output.
 */

import { readFile } from 'node:fs/promises';
import { json } from 'node:stream/consumers';

/** The most runs that are timed together, whatever the clock says. */
const RUNS_MAX = 2 ** 20;

/** @type {{ rounds: number, round_ms: number, chunk_ms: number, jobs: number[][] }} */
const order = /** @type {any} */ (await json(process.stdin));
const module = new WebAssembly.Module(await readFile(process.argv[2]));
const imports = /** @type {Record<string, Record<string, () => never>>} */ ({});
for (const { module: from, name } of WebAssembly.Module.imports(module)) {
  (imports[from] ??= {})[name] = () => {
    throw new Error(`${from} ${name} was called`);
  };
}
const { exports } = new WebAssembly.Instance(module, imports);
const prepare = /** @type {(...job: number[]) => void} */ (exports['prepare']);
const run = /** @type {(times: number) => number} */ (exports['run']);

const times = order.jobs.map(() => ({ best_us: Infinity, bits: 0 }));
for (let round = 0; round < order.rounds; round += 1) {
  for (const [index, job] of order.jobs.entries()) {
    const time = times[index];
    prepare(...job);
    time.bits = run(1) >>> 0;
    const start = performance.now();
    let runs = 1;
    while (performance.now() - start < order.round_ms) {
      const chunk = performance.now();
      run(runs);
      const took_ms = performance.now() - chunk;
      if (took_ms >= order.chunk_ms || runs >= RUNS_MAX) {
        time.best_us = Math.min(time.best_us, (took_ms * 1e3) / runs);
      } else {
        runs *= 2;
      }
    }
  }
}
const node = `${process.versions.node} (V8 ${process.versions.v8})`;
process.stdout.write(JSON.stringify({ node, times }));

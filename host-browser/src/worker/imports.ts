/** What the component is given: a clock, and nothing else. */

import type { ImportObject } from '../engine/auricle.js';

const NS_PER_MS = 1e6;

const CLOCK_INTERFACE = 'wasi:clocks/monotonic-clock@0.2.0';

const CLOCK = {
  now: () => BigInt(Math.round(performance.now() * NS_PER_MS)),
  resolution: () => BigInt(NS_PER_MS),
};

/** The second argument of jco's `instantiate`. */
export const IMPORTS = {
  [CLOCK_INTERFACE]: CLOCK,
  // jco's types have the versioned name, its code reads the other one.
  'wasi:clocks/monotonic-clock': CLOCK,
} as unknown as ImportObject;

/**
 * The third argument of jco's `instantiate`: joins a core module to its imports, and the clock without what jco puts before
 * it. That keeps books for imports that wait, and takes far longer than a look at the clock, of which there are some in every
 * step.
 */
export function instantiateCore(
  module: WebAssembly.Module,
  imports: WebAssembly.Imports = {},
): Promise<WebAssembly.Instance> {
  const direct = CLOCK_INTERFACE in imports ? { ...imports, [CLOCK_INTERFACE]: { now: CLOCK.now } } : imports;
  return WebAssembly.instantiate(module, direct);
}

/** What of WebAssembly this browser has. The modules are the smallest that need the feature; nothing is run. */

/** `(module (func (result v128) (i8x16.splat (i32.const 0))))` */
const SIMD_MODULE = bytes('AGFzbQEAAAABBQFgAAF7AwIBAAoIAQYAQQD9Dws=');

/** `(module (func (param v128 v128) (result v128) (i16x8.relaxed_dot_i8x16_i7x16_s (local.get 0) (local.get 1))))` */
const RELAXED_SIMD_MODULE = bytes('AGFzbQEAAAABBwFgAnt7AXsDAgEACgsBCQAgACAB/ZICCw==');

function bytes(base64: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}

/** Whether there is WebAssembly at all. A content-security policy without `wasm-unsafe-eval` is found out later. */
export function hasWasm(): boolean {
  return typeof WebAssembly === 'object' && typeof WebAssembly.validate === 'function';
}

/** Whether 128-bit SIMD runs, without which the engine does not. */
export function hasSimd(): boolean {
  return hasWasm() && WebAssembly.validate(SIMD_MODULE);
}

/** Whether relaxed SIMD runs. */
export function hasRelaxedSimd(): boolean {
  return hasWasm() && WebAssembly.validate(RELAXED_SIMD_MODULE);
}

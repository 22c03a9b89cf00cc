/** The bits of a transcript, as `bench/src/bits.rs` hashes them: what every engine must give. */

import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';

import { testdata } from './place.mjs';

/** @typedef {import('../../dist/types.js').Segment} Segment */

/** The guards, in the contract's order. */
const GUARDS = /** @type {const} */ (['token-rate', 'repetition', 'no-speech']);

/**
 * The hash that was blessed.
 *
 * @param {string} clip Its name in the file, such as `jfk` or `jfk, live`.
 * @returns {Promise<string>}
 */
export async function goldenHash(clip) {
  const { q8 } = JSON.parse(await readFile(testdata('golden-bits.json'), 'utf8'));
  return q8[clip];
}

/**
 * SHA-256 of the canonical form of final segments, in hexadecimal: integers little-endian, floats as their bits, lists and
 * texts with their length before them, and what may be missing as a list of one or none.
 *
 * @param {Segment[]} segments
 * @returns {string}
 */
export function hash(segments) {
  const digest = createHash('sha256');
  /** @param {number} value */
  const u64 = (value) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(BigInt(value));
    digest.update(bytes);
  };
  /** @param {number} value */
  const u32 = (value) => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(value);
    digest.update(bytes);
  };
  /** @param {number} value */
  const f32 = (value) => {
    const bytes = Buffer.alloc(4);
    bytes.writeFloatLE(value);
    digest.update(bytes);
  };
  /** @param {string} value */
  const text = (value) => {
    const bytes = Buffer.from(value);
    u64(bytes.length);
    digest.update(bytes);
  };
  /**
   * @template T
   * @param {readonly T[]} items
   * @param {(item: T) => void} add
   */
  const list = (items, add) => {
    u64(items.length);
    items.forEach(add);
  };

  list(segments, (segment) => {
    u64(segment.startSample);
    u64(segment.endSample);
    list(segment.tokens, (token) => {
      u32(token.id);
      f32(token.logProbability);
      f32(token.entropy);
    });
    list(segment.words, (word) => f32(word.confidence ?? NaN));
    text(segment.text);
    list(segment.words, ({ startSample, endSample }) => {
      const span = startSample === undefined || endSample === undefined ? [] : [[startSample, endSample]];
      list(span, (ends) => ends.forEach(u64));
    });
    list(segment.endedBy === undefined ? [] : [segment.endedBy], text);
    list(segment.noSpeechProbability === undefined ? [] : [segment.noSpeechProbability], f32);
    list(GUARDS.filter((guard) => segment.guards.includes(guard)), text);
  });
  return digest.digest('hex');
}

/** How late text comes and what it costs, as `host-native/src/cli/replay/latency.rs` has it. */

import { SAMPLE_RATE_HZ } from '../types.js';

/** The two halves of the time that is looked back on. */
const WINDOW_S = 5;

/**
 * When each sample of a live stream came. Blocks wait while the engine works, so that when they are taken tells too little:
 * the earliest of the last seconds gives the line on which all of them came.
 */
export class Arrivals {
  #receivedS = 0;
  /** The least delay of this half of the window and of the one before: when a block was taken, less its end in the stream. */
  #leastMs = Infinity;
  #leastBeforeMs = Infinity;
  #windowEndS = WINDOW_S;

  /** So many seconds of audio were taken now. */
  took(seconds: number, nowMs: number): void {
    this.#receivedS += seconds;
    if (this.#receivedS >= this.#windowEndS) {
      this.#windowEndS = this.#receivedS + WINDOW_S;
      this.#leastBeforeMs = this.#leastMs;
      this.#leastMs = Infinity;
    }
    this.#leastMs = Math.min(this.#leastMs, nowMs - this.#receivedS * 1_000);
  }

  /** The audio had stopped, and comes again. */
  resumed(): void {
    this.#leastMs = Infinity;
    this.#leastBeforeMs = Infinity;
  }

  /** How long ago a sample came, in milliseconds. */
  sinceMs(sample: number, nowMs: number): number | undefined {
    const lineMs = Math.min(this.#leastMs, this.#leastBeforeMs);
    return lineMs === Infinity ? undefined : Math.max(0, nowMs - lineMs - (sample / SAMPLE_RATE_HZ) * 1_000);
  }
}

/** Time spent on a stream since its last final, by the audio heard since then. */
export class RealTimeFactor {
  #busyMs = 0;
  #fromSample = 0;

  /** So much time was spent. */
  spent(ms: number): void {
    this.#busyMs += ms;
  }

  /** A final is given, when so many samples were heard. */
  atFinal(heardSamples: number): number {
    const audioMs = ((heardSamples - this.#fromSample) / SAMPLE_RATE_HZ) * 1_000;
    const factor = audioMs > 0 ? this.#busyMs / audioMs : 0;
    this.#busyMs = 0;
    this.#fromSample = heardSamples;
    return factor;
  }
}

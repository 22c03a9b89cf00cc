/** Takes: what was transcribed since the page was opened, each from one microphone session or one file. */

import type { Segment, Transcript } from '../dist/index.js';
import { median } from './units.js';

/** A finished line. */
export interface Line {
  segment: Segment;
  /** See `TranscriptEvent`; only of live lines that a pause ended. */
  latencyMs: number | undefined;
}

export class Take {
  readonly lines: Line[] = [];
  /** What is said now and may still change. */
  live: Segment | undefined;
  /** How much audio there was, in seconds, as far as it is known. */
  durationS = 0;
  #computedS = 0;
  #heardS = 0;

  /**
   * @param title what it is called in the list of takes
   * @param fileName what its files are called, without extension
   */
  constructor(
    readonly title: string,
    readonly fileName: string,
  ) {}

  /** Takes a final segment. */
  add(segment: Segment, latencyMs: number | undefined, realTimeFactor: number): void {
    this.live = undefined;
    const heardS = Math.max(0, segment.endS - this.#heardS);
    this.#heardS += heardS;
    this.#computedS += heardS * realTimeFactor;
    this.durationS = Math.max(this.durationS, segment.endS);
    if (segment.text !== '') {
      this.lines.push({ segment, latencyMs });
    }
  }

  /** The median latency of its lines, in milliseconds. */
  get latencyMs(): number | undefined {
    return median(this.lines.flatMap(({ latencyMs }) => latencyMs ?? []));
  }

  /** Time spent computing by time heard, so far. */
  get realTimeFactor(): number | undefined {
    return this.#heardS > 0 ? this.#computedS / this.#heardS : undefined;
  }

  /** All that is final, as a transcript. */
  get transcript(): Transcript {
    const segments = this.lines.map(({ segment }) => segment);
    const language = segments.find((segment) => segment.language !== undefined)?.language;
    return {
      text: segments.map(({ text }) => text).join(' '),
      segments,
      ...(language === undefined ? {} : { language }),
      durationS: this.durationS,
      source: segments.some(({ source }) => source === 'server') ? 'server' : 'device',
    };
  }
}

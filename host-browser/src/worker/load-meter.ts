/** How far loading is, in one fraction that never falls. */

import type { LoadProgress } from '../types.js';

const PHASES: readonly LoadProgress['phase'][] = ['download', 'verify', 'compile', 'load'];

/** The fraction at which each phase begins; the last ends at 1. The engine compiles beside the download, and nearly always first. */
const BEGINS: Readonly<Record<LoadProgress['phase'], number>> = { download: 0, verify: 0.94, compile: 0.95, load: 0.96 };

/** The rate is of so much time. */
const RATE_WINDOW_MS = 3_000;

/** Progress within a phase is told so often at most: a page shows it. */
const INTERVAL_MS = 50;

/** Takes what happens while loading, and tells of it. */
export class LoadMeter {
  #phase: LoadProgress['phase'] = 'download';
  #fraction = 0;
  #loadedBytes = 0;
  #source: LoadProgress['source'] = 'network';
  #arrivals: { atMs: number; bytes: number }[] = [];
  #toldAtMs = -Infinity;

  /** @param tell Told how far it is. @param now In milliseconds, from anywhere. */
  constructor(
    private readonly totalBytes: number,
    private readonly tell: (progress: LoadProgress) => void,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** So many bytes of the file are here. */
  loaded(bytes: number, source: LoadProgress['source']): void {
    const atMs = this.now();
    const isOther = source !== this.#source;
    this.#source = source;
    if (bytes < this.#loadedBytes || isOther) {
      this.#arrivals = [];
    }
    this.#loadedBytes = bytes;
    this.#arrivals.push({ atMs, bytes });
    while (this.#arrivals.length > 2 && (this.#arrivals[0]?.atMs ?? 0) < atMs - RATE_WINDOW_MS) {
      this.#arrivals.shift();
    }
    if (this.#phase === 'download') {
      const share = Math.min(1, bytes / Math.max(1, this.totalBytes));
      this.#advance(share * BEGINS.verify);
    }
    if (isOther || bytes >= this.totalBytes || atMs - this.#toldAtMs >= INTERVAL_MS) {
      this.#report(atMs);
    }
  }

  /** A phase begins. Phases that are over stay so. */
  begin(phase: LoadProgress['phase']): void {
    if (PHASES.indexOf(phase) >= PHASES.indexOf(this.#phase)) {
      this.#phase = phase;
      this.#advance(BEGINS[phase]);
      this.#report(this.now());
    }
  }

  /** All is done. */
  end(): void {
    this.#phase = 'load';
    this.#advance(1);
    this.#report(this.now());
  }

  #advance(fraction: number): void {
    this.#fraction = Math.max(this.#fraction, fraction);
  }

  #report(atMs: number): void {
    this.#toldAtMs = atMs;
    this.tell({
      phase: this.#phase,
      loadedBytes: this.#loadedBytes,
      totalBytes: this.totalBytes,
      bytesPerSecond: this.#phase === 'download' ? this.#rate() : 0,
      fraction: this.#fraction,
      source: this.#source,
    });
  }

  #rate(): number {
    const [first, last] = [this.#arrivals[0], this.#arrivals.at(-1)];
    if (first === undefined || last === undefined || last.atMs <= first.atMs) {
      return 0;
    }
    return Math.round(((last.bytes - first.bytes) * 1_000) / (last.atMs - first.atMs));
  }
}

/** Gives every stream its turn, and a new instance to all when one has lost theirs. */

import { Trap, trappedError } from './contract.js';
import type { Host } from './host.js';
import type { Stream } from './stream.js';
import { nextTurn } from './turns.js';

/** So often the engine may fail without a final between. */
const TRAPS_MAX = 2;

/** Told how a stream goes. */
export interface Outcome {
  /** It had a turn. */
  worked(): void;
  ended(): void;
  failed(error: unknown): void;
}

/** Works on all streams of a host in turn, while there is work. */
export class Scheduler {
  #streams = new Map<Stream, Outcome>();
  #isRunning = false;
  #rebuilding: Promise<void> | undefined;

  constructor(private readonly host: Host) {}

  /** Makes a stream. Fails with what is wrong with its options, or where there is no instance and none can be made. */
  async open(make: () => Stream): Promise<Stream> {
    for (let traps = 0; ; ) {
      if (!this.host.isReady) {
        await this.#rebuild();
      }
      try {
        return make();
      } catch (error) {
        if (!(error instanceof Trap)) {
          throw error;
        }
        this.#loseInstance();
        traps += 1;
        if (traps >= TRAPS_MAX) {
          throw trappedError(error);
        }
      }
    }
  }

  /** Works on a stream from now on. */
  add(stream: Stream, outcome: Outcome): void {
    this.#streams.set(stream, outcome);
    this.wake();
  }

  /** No longer works on a stream, and lets go of its session. */
  remove(stream: Stream): void {
    if (this.#streams.delete(stream)) {
      this.#guard(() => stream.close());
    }
  }

  /** All streams. */
  streams(): Stream[] {
    return [...this.#streams.keys()];
  }

  /** A stream has got something to work on. */
  wake(): void {
    if (!this.#isRunning) {
      this.#isRunning = true;
      void this.#run();
    }
  }

  async #run(): Promise<void> {
    let hasWork = true;
    while (hasWork) {
      hasWork = false;
      for (const [stream, outcome] of [...this.#streams]) {
        // It may have been removed while another had its turn.
        if (this.#streams.has(stream) && stream.hasWork) {
          hasWork = true;
          await this.#turn(stream, outcome);
          await nextTurn();
        }
      }
    }
    this.#isRunning = false;
  }

  async #turn(stream: Stream, outcome: Outcome): Promise<void> {
    try {
      if (!this.host.isReady) {
        await this.#rebuild();
        if (!this.#streams.has(stream)) {
          return;
        }
      }
      stream.turn();
      outcome.worked();
      if (stream.isEnded) {
        this.remove(stream);
        outcome.ended();
      }
    } catch (error) {
      if (error instanceof Trap) {
        this.#trapped(stream, outcome, error);
      } else {
        this.remove(stream);
        outcome.failed(error);
      }
    }
  }

  #trapped(stream: Stream, outcome: Outcome, trap: Trap): void {
    this.#loseInstance();
    stream.traps += 1;
    if (stream.traps >= TRAPS_MAX) {
      this.#streams.delete(stream);
      outcome.failed(trappedError(trap));
    }
  }

  #loseInstance(): void {
    this.host.lose();
    for (const stream of this.#streams.keys()) {
      stream.instanceLost();
    }
  }

  /** Where it fails, whose turn it is fails with it, and the next one tries again. */
  #rebuild(): Promise<void> {
    this.#rebuilding ??= this.#rebuildOnce().finally(() => {
      this.#rebuilding = undefined;
    });
    return this.#rebuilding;
  }

  async #rebuildOnce(): Promise<void> {
    await this.host.rebuild();
    for (const stream of this.#streams.keys()) {
      stream.notice({
        code: 'recovered',
        message: 'The engine failed and was started again: what was being said is heard once more.',
      });
    }
  }

  /** Something that calls the engine besides its turns. */
  #guard(work: () => void): void {
    try {
      work();
    } catch {
      this.#loseInstance();
      this.wake();
    }
  }

  /** Whether eager partials are to be economical, for all streams. */
  setEconomy(on: boolean): void {
    for (const stream of this.#streams.keys()) {
      this.#guard(() => stream.setEconomy(on));
    }
  }
}

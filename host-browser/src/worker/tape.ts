/** The audio of a stream that may still be needed: what waits, and what would be heard again after a trap. */

/** Samples by their position in the stream. */
export class Tape {
  #blocks: Float32Array[] = [];
  #start: number;
  #end: number;

  /** Begins empty, at a position of the stream. */
  constructor(start = 0) {
    this.#start = start;
    this.#end = start;
  }

  /** The position of the first sample that is kept. */
  get start(): number {
    return this.#start;
  }

  /** The position after the last sample. */
  get end(): number {
    return this.#end;
  }

  /** Takes the next block. It is kept as it is, and must not change. */
  append(block: Float32Array): void {
    if (block.length > 0) {
      this.#blocks.push(block);
      this.#end += block.length;
    }
  }

  /** What is kept from this position on, up to `longest` samples: at least one where there is one, not always so many. */
  read(position: number, longest: number): Float32Array {
    let blockStart = this.#start;
    for (const block of this.#blocks) {
      const blockEnd = blockStart + block.length;
      if (position < blockEnd) {
        const first = Math.max(0, position - blockStart);
        return block.subarray(first, first + longest);
      }
      blockStart = blockEnd;
    }
    return new Float32Array(0);
  }

  /** Lets go of what is before a position, in whole blocks. */
  forgetBefore(position: number): void {
    let count = 0;
    for (const block of this.#blocks) {
      if (this.#start + block.length > position) {
        break;
      }
      this.#start += block.length;
      count += 1;
    }
    this.#blocks.splice(0, count);
  }
}

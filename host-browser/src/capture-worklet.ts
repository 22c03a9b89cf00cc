/** The audio worklet: hands the samples over as they are, in blocks of about 20 ms. Nothing is computed here. */

import type { CaptureCommand, CaptureMessage } from './protocol.js';

// The scope of an audio worklet, as far as it is used.
declare const sampleRate: number;
declare class AudioWorkletProcessor {
  readonly port: MessagePort;
}
declare function registerProcessor(name: string, processor: new () => AudioWorkletProcessor): void;

/** Frames of a block: 20 ms in whole quanta of 128. */
const BLOCK_FRAMES = Math.round((sampleRate * 0.02) / 128) * 128;

class Capture extends AudioWorkletProcessor {
  #block = new Float32Array(BLOCK_FRAMES);
  #filled = 0;
  #to: MessagePort | undefined;

  constructor() {
    super();
    // The first message brings the port to the Worker, so that no sample passes through the page.
    this.port.onmessage = ({ data }: MessageEvent<MessagePort>) => {
      this.#to = data;
      data.onmessage = ({ data }: MessageEvent<CaptureCommand>) => {
        if (data === 'end') {
          this.#send(this.#block.slice(0, this.#filled));
          this.#to?.postMessage('end' satisfies CaptureMessage);
          this.#to = undefined;
        }
      };
    };
  }

  /** Called with every quantum; whether it is to be called again. */
  process([input]: Float32Array[][]): boolean {
    const samples = input?.[0];
    // Without samples the source has ended, or has not begun.
    if (this.#to === undefined || samples === undefined) {
      return true;
    }
    for (let rest = samples; rest.length > 0; ) {
      const taken = rest.subarray(0, this.#block.length - this.#filled);
      this.#block.set(taken, this.#filled);
      this.#filled += taken.length;
      rest = rest.subarray(taken.length);
      if (this.#filled === this.#block.length) {
        this.#send(this.#block);
        this.#block = new Float32Array(BLOCK_FRAMES);
        this.#filled = 0;
      }
    }
    return true;
  }

  #send(block: Float32Array<ArrayBuffer>): void {
    this.#to?.postMessage(block satisfies CaptureMessage, [block.buffer]);
  }
}

registerProcessor('auricle-capture', Capture);

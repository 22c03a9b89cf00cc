/** What a microphone says, from the audio worklet to a stream. */

import type { CaptureCommand, CaptureMessage } from '../protocol.js';
import { Conditioner } from '../shim/auricle_shim.js';
import type { Stream } from './stream.js';
import { nextTurn } from './turns.js';

/** Loudness is told about so often. */
const LEVEL_INTERVAL_S = 0.05;

/** A worklet that gives nothing for so long is gone: its page has closed the audio context. */
const END_TIMEOUT_MS = 300;

/** A busy Worker hears of the time before it hears of what was posted earlier: that gets so many turns. */
const END_TURNS = 16;

/** Told what comes besides samples. */
export interface LiveInputListener {
  /** There are new samples. */
  onAudio(): void;
  onLevel(level: { peak: number; rms: number }): void;
  /** No more audio is taken. */
  onEnded(): void;
  /** The audio cannot be used, or there is no room for it; what was heard stands. */
  onError(error: unknown): void;
}

/** Takes samples from one audio worklet after another, of any rate. */
export class LiveInput {
  #source: Source | undefined;
  /** Resolves when all sources before have given what they had. */
  #before: Promise<void> = Promise.resolve();

  constructor(
    private readonly stream: Stream,
    private readonly listener: LiveInputListener,
  ) {}

  /** Audio comes from here from now on. */
  connect(port: MessagePort, sampleRateHz: number): void {
    const former = this.#source;
    this.#source = undefined;
    this.#before = this.#before.then(async () => {
      await former?.end();
      this.#source = new Source(port, sampleRateHz, this.stream, this.listener);
    });
    this.#before.catch((error) => this.listener.onError(error));
  }

  /** Takes what is on its way, and ends the stream. */
  async finish(): Promise<void> {
    await this.#before.catch(() => {});
    await this.#source?.end();
    this.stream.finish();
    this.listener.onEnded();
    this.listener.onAudio();
  }

  /** Takes nothing more. */
  close(): void {
    this.#before.finally(() => this.#source?.close()).catch(() => {});
  }
}

class Source {
  #conditioner: Conditioner | undefined;
  #levelAtS = 0;
  #secondsTaken = 0;
  #ended: Promise<void>;
  #resolveEnded: () => void = () => {};

  constructor(
    private readonly port: MessagePort,
    private readonly sampleRateHz: number,
    private readonly stream: Stream,
    private readonly listener: LiveInputListener,
  ) {
    this.#conditioner = new Conditioner(sampleRateHz, 1);
    this.#ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
    this.stream.arrivals.resumed();
    port.onmessage = ({ data }: MessageEvent<CaptureMessage>) => this.#take(data);
  }

  /** Asks the worklet for what it still has, and takes it. */
  async end(): Promise<void> {
    if (this.#conditioner === undefined) {
      return;
    }
    this.port.postMessage('end' satisfies CaptureCommand);
    let beforeS: number;
    do {
      beforeS = this.#secondsTaken;
      await this.#endedOr(END_TIMEOUT_MS);
      for (let turn = 0; turn < END_TURNS && this.#conditioner !== undefined; turn += 1) {
        await nextTurn();
      }
    } while (this.#conditioner !== undefined && this.#secondsTaken > beforeS);
    this.#end();
  }

  /** Resolves when the worklet has ended, or after a while. */
  async #endedOr(ms: number): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, ms);
    });
    await Promise.race([this.#ended, late]);
    clearTimeout(timer);
  }

  close(): void {
    this.port.onmessage = null;
    this.port.close();
    this.#conditioner?.free();
    this.#conditioner = undefined;
    this.#resolveEnded();
  }

  #take(message: CaptureMessage): void {
    if (message === 'end') {
      this.#end();
      return;
    }
    const conditioner = this.#conditioner;
    if (conditioner === undefined) {
      return;
    }
    try {
      const seconds = message.length / this.sampleRateHz;
      this.#secondsTaken += seconds;
      this.stream.arrivals.took(seconds, performance.now());
      this.stream.append(conditioner.push(message));
      if (this.#secondsTaken >= this.#levelAtS) {
        this.#levelAtS = this.#secondsTaken + LEVEL_INTERVAL_S;
        this.listener.onLevel(conditioner.takeLevel());
      }
    } catch (error) {
      this.close();
      this.listener.onError(error);
    }
    this.listener.onAudio();
  }

  #end(): void {
    const conditioner = this.#conditioner;
    if (conditioner !== undefined) {
      try {
        this.stream.append(conditioner.finish());
      } catch (error) {
        this.listener.onError(error);
      }
      this.close();
    }
  }
}

/**
 * Where speech begins and ends, by loudness alone: enough to send a server one utterance after another. The engine, which
 * does this better, is not there when this is needed.
 */

/** When an utterance ends, in seconds. */
export interface PauseOptions {
  /** So much silence ends one; `Infinity` for never. */
  minimumSilenceS: number;
  /** Shorter sound is no speech. */
  minimumSpeechS: number;
  /** A longer one is cut. */
  longestS: number;
}

/** What a block of audio brought: `dropped` if what had begun was too short. */
export type PauseEvent = 'begun' | 'paused' | 'cut' | 'dropped' | undefined;

/** The quietest speech, and how far it stands out from the noise of the place, by root mean square. */
const QUIETEST_RMS = 0.006;
const ABOVE_NOISE = 3;

/** How fast the noise floor rises where it has become louder: to double in so many seconds. */
const FLOOR_DOUBLES_S = 3;

/** Takes the loudness of one block after another. */
export class Pauses {
  #floor = QUIETEST_RMS;
  /** Of the utterance under way: how long it is, how much of it is loud, and how long it has been silent. */
  #utterance: { lengthS: number; loudS: number; silenceS: number } | undefined;

  constructor(private readonly options: PauseOptions) {}

  take(rms: number, lengthS: number): PauseEvent {
    this.#floor = Math.max(1e-6, Math.min(rms, this.#floor * 2 ** (lengthS / FLOOR_DOUBLES_S)));
    const isLoud = rms > Math.max(QUIETEST_RMS, ABOVE_NOISE * this.#floor);
    const utterance = this.#utterance;
    if (utterance === undefined) {
      if (isLoud) this.#utterance = { lengthS, loudS: lengthS, silenceS: 0 };
      return isLoud ? 'begun' : undefined;
    }
    utterance.lengthS += lengthS;
    utterance.loudS += isLoud ? lengthS : 0;
    utterance.silenceS = isLoud ? 0 : utterance.silenceS + lengthS;
    const { minimumSilenceS, minimumSpeechS, longestS } = this.options;
    if (utterance.silenceS >= minimumSilenceS) {
      this.#utterance = undefined;
      return utterance.loudS >= minimumSpeechS ? 'paused' : 'dropped';
    }
    if (utterance.lengthS >= longestS) {
      this.#utterance = undefined;
      return 'cut';
    }
    return undefined;
  }
}

/** Measures how fast this device transcribes, with the engine itself and a model made up on the spot. */

import type { Calibration, Flavour } from '../types.js';
import { MOONSHINE_TINY, syntheticModel } from './synthetic-model.js';

/** The engine's exports. */
export type Recognition = typeof import('../engine/interfaces/auricle-speech-recognition.js');

/** An instance of the engine that is used for nothing else, and dropped afterwards. */
export interface MeasuredEngine {
  recognition: Recognition;
  flavour: Flavour;
}

/** What is transcribed at a time: long enough for every kind of layer to do its usual work, and short on slow devices. */
const UTTERANCE_S = 2;
const SAMPLE_RATE_HZ = 16_000;

/** Transcribing goes on for about so long, since JavaScript engines make code faster while it runs. */
const ENOUGH_MS = 500;
/** A device that has not transcribed one utterance by then is judged by what it has done of it. */
const TOO_LONG_MS = 4_000;

/** Steps between pauses, in which the Worker hears of a cancellation. */
const STEPS = 4;

/** Tokens in a second of brisk English, of which the decoder writes one after another. */
const TOKENS_PER_SPOKEN_SECOND = 4;

/** Multiply-adds for a second of speech, in stages that go by seconds; for devices that do not get to the end. */
const ENCODING_MULTIPLY_ADDS_PER_S = 430e6;
/** And for a token. */
const DECODING_MULTIPLY_ADDS_PER_TOKEN = 19e6;

/** Time and work of an utterance, or of a part of it. */
interface Cost {
  encodingMs: number;
  decodingMs: number;
  multiplyAdds: number;
  tokens: number;
  complete: boolean;
}

/**
 * Takes about a second on an ordinary device, and several on one that is too slow. `pause` lets other messages through; it
 * throws where measuring is no longer wanted.
 */
export async function calibrate(start: () => Promise<MeasuredEngine>, pause: () => Promise<void>): Promise<Calibration> {
  const startMs = performance.now();
  const { recognition, flavour } = await start();
  const compileMs = performance.now() - startMs;

  const synthetic = syntheticModel(MOONSHINE_TINY);
  const loader = new recognition.ModelLoader(BigInt(synthetic.totalBytes));
  for (const chunk of synthetic.chunks()) {
    loader.write(chunk);
    await pause();
  }
  const model = recognition.loadModel(loader);
  const loadMs = performance.now() - startMs - compileMs;

  // All of it is one segment.
  const { endpointing: _, ...options } = model.defaultOptions();
  const session = recognition.Session.open(model, { ...options, partials: 'none' });
  const audio = hum();
  const transcribingMs = performance.now();
  const spentMs = (): number => performance.now() - transcribingMs;
  let realTimeFactor = Infinity;
  do {
    const cost = await transcribe(session, audio, pause, () => spentMs() > TOO_LONG_MS);
    // The fastest: the others were disturbed, or ran code that was not yet optimized.
    if (cost.complete || realTimeFactor === Infinity) {
      realTimeFactor = Math.min(realTimeFactor, realTimeFactorOf(cost));
    }
  } while (spentMs() < ENOUGH_MS);

  const memoryBytes = Number(session.metrics().peakMemoryBytes);
  return { flavour, realTimeFactor, compileMs, loadMs, memoryBytes, elapsedMs: performance.now() - startMs };
}

async function transcribe(
  session: Recognition['Session']['prototype'],
  audio: Float32Array,
  pause: () => Promise<void>,
  isTooLate: () => boolean,
): Promise<Cost> {
  session.reset();
  session.pushAudio(audio);
  session.finish();
  let more = true;
  while (more && !isTooLate()) {
    more = session.pollTranscript(STEPS).more;
    await pause();
  }
  const { stages, tokens } = session.metrics();
  const cost: Cost = { encodingMs: 0, decodingMs: 0, multiplyAdds: 0, tokens: Number(tokens), complete: !more };
  for (const { stage, elapsedNs, multiplyAdds } of stages) {
    cost[stage === 'decoder' ? 'decodingMs' : 'encodingMs'] += Number(elapsedNs) / 1e6;
    cost.multiplyAdds += Number(multiplyAdds);
  }
  return cost;
}

/** What a second of ordinary speech would take, in seconds: the made-up model writes more tokens than there are words. */
function realTimeFactorOf({ encodingMs, decodingMs, multiplyAdds, tokens, complete }: Cost): number {
  if (complete && tokens > 0) {
    return encodingMs / 1e3 / UTTERANCE_S + (decodingMs / 1e3 / tokens) * TOKENS_PER_SPOKEN_SECOND;
  }
  const perSecond = ENCODING_MULTIPLY_ADDS_PER_S + TOKENS_PER_SPOKEN_SECOND * DECODING_MULTIPLY_ADDS_PER_TOKEN;
  return ((encodingMs + decodingMs) / 1e3) * (perSecond / Math.max(multiplyAdds, 1));
}

/** A tone that rises and falls; the same everywhere but for the last bits. */
function hum(): Float32Array {
  return Float32Array.from({ length: UTTERANCE_S * SAMPLE_RATE_HZ }, (_, index) => {
    const timeS = index / SAMPLE_RATE_HZ;
    return 0.1 * Math.sin(2 * Math.PI * 180 * timeS + 8 * Math.sin(2 * Math.PI * 3 * timeS));
  });
}

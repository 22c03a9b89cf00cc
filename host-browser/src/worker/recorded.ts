/** A recording as the engine takes it: mono at 16 000 Hz. */

import { AudioError } from '../errors.js';
import type { RecordedAudio } from '../protocol.js';
import { Conditioner, decodeWav } from '../shim/auricle_shim.js';
import { SAMPLE_RATE_HZ } from '../types.js';
import { startedShim } from './store.js';
import { nextTurn } from './turns.js';

/** Frames between two turns: some milliseconds of work. */
const FRAMES_PER_TURN = 1 << 16;

/** A WAV file is read at once, and its samples beside it: in 4 GiB, there is room for so much. */
const WAV_BYTES_MAX = 2 ** 30;

/** Reads, mixes and resamples, with turns in between. Fails with `AudioError`. */
export async function samplesOf(audio: RecordedAudio, signal: AbortSignal): Promise<Float32Array> {
  if (audio.kind === 'wav' && audio.file.size > WAV_BYTES_MAX) {
    const { size } = audio.file;
    const message = `The WAV file is too large to be read at once (${(size / 2 ** 30).toFixed(2)} GiB of at most 1): cut it into shorter pieces.`;
    throw new AudioError('limit-exceeded', message, { allowed: WAV_BYTES_MAX, requested: size });
  }
  await startedShim();
  if (audio.kind === 'wav') {
    const bytes = new Uint8Array(await audio.file.arrayBuffer());
    signal.throwIfAborted();
    return decodeWav(bytes);
  }
  const { planes, sampleRateHz } = audio;
  const [first] = planes;
  if (first !== undefined && planes.length === 1 && sampleRateHz === SAMPLE_RATE_HZ) {
    return first;
  }
  const conditioner = new Conditioner(sampleRateHz, planes.length);
  try {
    const blocks: Float32Array[] = [];
    const frames = first?.length ?? 0;
    for (let from = 0; from < frames; from += FRAMES_PER_TURN) {
      blocks.push(conditioner.push(interleaved(planes, from, Math.min(frames, from + FRAMES_PER_TURN))));
      await nextTurn();
      signal.throwIfAborted();
    }
    blocks.push(conditioner.finish());
    return joined(blocks);
  } finally {
    conditioner.free();
  }
}

function interleaved(planes: readonly Float32Array[], from: number, to: number): Float32Array {
  const out = new Float32Array((to - from) * planes.length);
  planes.forEach((plane, channel) => {
    for (let frame = from, index = channel; frame < to; frame += 1, index += planes.length) {
      out[index] = plane[frame] ?? 0;
    }
  });
  return out;
}

function joined(blocks: readonly Float32Array[]): Float32Array {
  const out = new Float32Array(blocks.reduce((length, block) => length + block.length, 0));
  let offset = 0;
  for (const block of blocks) {
    out.set(block, offset);
    offset += block.length;
  }
  return out;
}

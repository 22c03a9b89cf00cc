/** Audio as servers take it: one channel at 16 000 Hz. The browser decodes and changes the rate: no engine is there. */

import { AudioError } from '../errors.js';
import type { RecordedAudio } from '../protocol.js';
import { SAMPLE_RATE_HZ } from '../types.js';

/** All of a recording. */
export async function monoSamples(audio: RecordedAudio): Promise<Float32Array> {
  if (audio.kind === 'planes') return resampled(audio.planes, audio.sampleRateHz);
  let buffer: AudioBuffer;
  try {
    buffer = await new OfflineAudioContext(1, 1, SAMPLE_RATE_HZ).decodeAudioData(await audio.file.arrayBuffer());
  } catch (error) {
    throw new AudioError('undecodable', `The browser cannot read the file (${String(error)}): convert it to WAV or MP3.`);
  }
  return mixed(Array.from({ length: buffer.numberOfChannels }, (_, channel) => buffer.getChannelData(channel)));
}

/** Channels of any rate, mixed. */
export async function resampled(planes: Float32Array[], sampleRateHz: number): Promise<Float32Array> {
  const samples = mixed(planes);
  if (sampleRateHz === SAMPLE_RATE_HZ || samples.length === 0) return samples;
  const length = Math.max(1, Math.round((samples.length * SAMPLE_RATE_HZ) / sampleRateHz));
  let source: AudioBufferSourceNode;
  let context: OfflineAudioContext;
  try {
    const buffer = new AudioBuffer({ length: samples.length, numberOfChannels: 1, sampleRate: sampleRateHz });
    buffer.copyToChannel(new Float32Array(samples), 0);
    context = new OfflineAudioContext(1, length, SAMPLE_RATE_HZ);
    source = new AudioBufferSourceNode(context, { buffer });
  } catch {
    throw new AudioError('unsupported-rate', `The browser takes no audio of ${sampleRateHz} Hz: use 8 000 to 96 000 Hz.`);
  }
  source.connect(context.destination);
  source.start();
  return (await context.startRendering()).getChannelData(0);
}

/** The mean of the channels. */
function mixed(planes: Float32Array[]): Float32Array {
  const [first] = planes;
  if (first === undefined) return new Float32Array(0);
  if (planes.length === 1) return first;
  return first.map((_, index) => planes.reduce((sum, plane) => sum + (plane[index] ?? 0), 0) / planes.length);
}

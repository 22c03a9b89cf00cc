/** Audio of any kind as a WAV file that every server reads: one channel, 16 000 Hz, 16 bits. */

import { AudioError, DownloadError } from '../errors.js';
import { SAMPLE_RATE_HZ, type AudioInput } from '../types.js';

const HEADER_BYTES = 44;
const FULL_SCALE = 32_768;

/** Mono samples at 16 000 Hz. The browser decodes, and changes the rate. */
export async function samplesOf(audio: AudioInput, signal?: AbortSignal): Promise<Float32Array> {
  if (audio instanceof Float32Array) return audio;
  if (audio instanceof AudioBuffer) return resampled(audio);
  if (audio instanceof Blob) return decoded(await audio.arrayBuffer());
  if (audio instanceof ArrayBuffer) return decoded(audio.slice());
  if (typeof audio === 'string' || audio instanceof URL) return decoded(await got(audio, signal));
  const { samples, sampleRateHz } = audio;
  if (samples.length === 0) return samples;
  const buffer = new AudioBuffer({ length: samples.length, numberOfChannels: 1, sampleRate: sampleRateHz });
  buffer.copyToChannel(new Float32Array(samples), 0);
  return resampled(buffer);
}

/** The file. Samples beyond full scale are cut to it. */
export function wavOf(samples: Float32Array): Blob {
  const view = new DataView(new ArrayBuffer(HEADER_BYTES + 2 * samples.length));
  const tag = (offset: number, text: string): void => {
    for (let index = 0; index < text.length; index += 1) view.setUint8(offset + index, text.charCodeAt(index));
  };
  tag(0, 'RIFF');
  view.setUint32(4, view.byteLength - 8, true);
  tag(8, 'WAVEfmt ');
  view.setUint32(16, 16, true); // bytes of what follows, up to `data`
  view.setUint16(20, 1, true); // PCM
  view.setUint16(22, 1, true); // channels
  view.setUint32(24, SAMPLE_RATE_HZ, true);
  view.setUint32(28, 2 * SAMPLE_RATE_HZ, true); // bytes a second
  view.setUint16(32, 2, true); // bytes of a frame
  view.setUint16(34, 16, true); // bits of a sample
  tag(36, 'data');
  view.setUint32(40, 2 * samples.length, true);
  for (let index = 0; index < samples.length; index += 1) {
    const value = Math.round((samples[index] ?? 0) * FULL_SCALE);
    view.setInt16(HEADER_BYTES + 2 * index, Math.max(-FULL_SCALE, Math.min(FULL_SCALE - 1, value)), true);
  }
  return new Blob([view.buffer], { type: 'audio/wav' });
}

async function got(address: string | URL, signal?: AbortSignal): Promise<ArrayBuffer> {
  const url = String(address);
  let response: Response;
  try {
    response = await fetch(url, { signal: signal ?? null });
  } catch (error) {
    signal?.throwIfAborted();
    throw new DownloadError('network', `The audio was not got (${String(error)}): check the address and the connection.`);
  }
  if (!response.ok) {
    const { status } = response;
    throw new DownloadError('http-status', `The server answers ${status} for the audio: check its address.`, { status });
  }
  return response.arrayBuffer();
}

async function decoded(bytes: ArrayBuffer): Promise<Float32Array> {
  const context = new OfflineAudioContext(1, 1, SAMPLE_RATE_HZ);
  let buffer: AudioBuffer;
  try {
    buffer = await context.decodeAudioData(bytes);
  } catch (error) {
    throw new AudioError('undecodable', `The browser cannot read the audio (${String(error)}): try WAV, MP3 or Opus.`);
  }
  return mixed(buffer);
}

async function resampled(buffer: AudioBuffer): Promise<Float32Array> {
  if (buffer.sampleRate === SAMPLE_RATE_HZ) return mixed(buffer);
  const length = Math.max(1, Math.round(buffer.duration * SAMPLE_RATE_HZ));
  const context = new OfflineAudioContext(buffer.numberOfChannels, length, SAMPLE_RATE_HZ);
  const source = new AudioBufferSourceNode(context, { buffer });
  source.connect(context.destination);
  source.start();
  return mixed(await context.startRendering());
}

/** The mean of the channels. */
function mixed(buffer: AudioBuffer): Float32Array {
  const channels = Array.from({ length: buffer.numberOfChannels }, (_, channel) => buffer.getChannelData(channel));
  const [first] = channels;
  if (first && channels.length === 1) return first;
  const sum = new Float32Array(buffer.length);
  for (const channel of channels) {
    for (let index = 0; index < sum.length; index += 1) sum[index] = (sum[index] ?? 0) + (channel[index] ?? 0);
  }
  return sum.map((value) => value / channels.length);
}

/** Samples as a WAV file that every server reads: one channel, 16 000 Hz, 16 bits. */

import { SAMPLE_RATE_HZ } from '../types.js';

const HEADER_BYTES = 44;
const FULL_SCALE = 32_768;

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

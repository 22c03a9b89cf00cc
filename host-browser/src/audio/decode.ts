/** Whatever a page has of a recording, as the Worker takes it. */

import { unlessAborted } from '../abort.js';
import { AudioError, DownloadError } from '../errors.js';
import type { RecordedAudio } from '../protocol.js';
import { SAMPLE_RATE_HZ, type AudioInput, type PcmAudio } from '../types.js';

type Planes = Extract<RecordedAudio, { kind: 'planes' }>;

/**
 * Reads, and has the browser decode what is no WAV. Fails with `AudioError`, with `DownloadError` where an address gives
 * nothing, and with the signal's reason. The samples are nobody else's: they may be transferred.
 */
export async function recordedAudio(input: AudioInput, signal: AbortSignal | undefined): Promise<RecordedAudio> {
  if (input instanceof Float32Array) {
    return { kind: 'planes', planes: [input.slice()], sampleRateHz: SAMPLE_RATE_HZ };
  }
  if (isAudioBuffer(input)) {
    const { planes, ...rest } = planesOf(input);
    return { ...rest, planes: planes.map((plane) => plane.slice()) };
  }
  if (isPcm(input)) {
    return { kind: 'planes', planes: [input.samples.slice()], sampleRateHz: input.sampleRateHz };
  }
  const file = await fileOf(input, signal);
  const head = new Uint8Array(await unlessAborted(file.slice(0, 12).arrayBuffer(), signal));
  return isWav(head) ? { kind: 'wav', file } : await decoded(file, signal);
}

/** Has the browser decode a file, at the engine's rate. The samples may be transferred. */
export async function decoded(file: Blob, signal: AbortSignal | undefined): Promise<RecordedAudio> {
  const bytes = await unlessAborted(file.arrayBuffer(), signal);
  let buffer: AudioBuffer;
  try {
    // The browser cannot be told to stop: what it decodes is dropped.
    const decoding = new OfflineAudioContext(1, 1, SAMPLE_RATE_HZ).decodeAudioData(bytes);
    buffer = await unlessAborted(decoding, signal);
  } catch (error) {
    signal?.throwIfAborted();
    const message =
      file.size === 0
        ? 'The file is empty: choose another one.'
        : `Neither Auricle nor this browser can read the file as audio (${String(error)}): convert it to WAV or MP3.`;
    throw new AudioError('undecodable', message, { bytes: file.size });
  }
  return planesOf(buffer);
}

function planesOf(buffer: AudioBuffer): Planes {
  const planes = Array.from({ length: buffer.numberOfChannels }, (_, channel) => buffer.getChannelData(channel));
  return { kind: 'planes', planes, sampleRateHz: buffer.sampleRate };
}

function isAudioBuffer(input: AudioInput): input is AudioBuffer {
  return typeof AudioBuffer === 'function' && input instanceof AudioBuffer;
}

function isPcm(input: AudioInput): input is PcmAudio {
  return typeof input === 'object' && input !== null && 'samples' in input && input.samples instanceof Float32Array;
}

/** `RIFF….WAVE`, or its forms for large files. */
function isWav(head: Uint8Array): boolean {
  const text = String.fromCharCode(...head);
  return ['RIFF', 'RF64', 'BW64'].includes(text.slice(0, 4)) && text.slice(8) === 'WAVE';
}

async function fileOf(input: Blob | string | URL | ArrayBuffer, signal: AbortSignal | undefined): Promise<Blob> {
  if (input instanceof Blob) {
    return input;
  }
  if (input instanceof ArrayBuffer) {
    return new Blob([input]);
  }
  if (typeof input === 'string' || input instanceof URL) {
    return await download(input, signal);
  }
  throw new AudioError(
    'undecodable',
    'This is no audio: give a File or Blob, an address, an ArrayBuffer, samples in a Float32Array, or an AudioBuffer.',
  );
}

async function download(address: string | URL, signal: AbortSignal | undefined): Promise<Blob> {
  let url: URL;
  try {
    url = new URL(address, document.baseURI);
  } catch {
    throw new DownloadError('network', `${String(address)} is no address: correct it.`);
  }
  try {
    const response = await fetch(url, { signal: signal ?? null });
    if (!response.ok) {
      const { status } = response;
      throw new DownloadError('http-status', `The server answers ${status} for ${url.href}: check the address.`, { status });
    }
    return await response.blob();
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof DownloadError) {
      throw error;
    }
    const message = `${url.href} was not got (${String(error)}): check the connection, and whether its server allows this page (CORS).`;
    throw new DownloadError('network', message, { url: url.href });
  }
}

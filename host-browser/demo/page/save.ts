/** A transcript to the clipboard or to a file. */

import { toJson, toSrt, toTxt, toVtt, type Transcript } from '../dist/index.js';

export type Format = 'txt' | 'srt' | 'vtt' | 'json';

const WRITERS: Record<Format, { type: string; write: (transcript: Transcript) => string }> = {
  txt: { type: 'text/plain', write: toTxt },
  srt: { type: 'application/x-subrip', write: (transcript) => toSrt(transcript) },
  vtt: { type: 'text/vtt', write: (transcript) => toVtt(transcript) },
  json: { type: 'application/json', write: toJson },
};

/** Lets the browser save the transcript as `NAME.FORMAT`. */
export function save(transcript: Transcript, name: string, format: Format): void {
  const { type, write } = WRITERS[format];
  const url = URL.createObjectURL(new Blob([write(transcript)], { type: `${type};charset=utf-8` }));
  const link = document.createElement('a');
  link.href = url;
  link.download = `${name}.${format}`;
  link.click();
  // The browser has its own hold on the bytes once the download has begun, which it does in a later task.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/** Copies the text, a line for each segment. */
export async function copy(transcript: Transcript): Promise<void> {
  await navigator.clipboard.writeText(toTxt(transcript));
}

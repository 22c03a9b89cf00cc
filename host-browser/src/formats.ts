/**
 * Transcripts as files: byte for byte what `auricle transcribe` writes, and openai-whisper, so that what reads its
 * output reads this. Write them as UTF-8.
 *
 * Two things differ from whisper, on purpose: what a model cannot give is `null` in JSON, where whisper always has a
 * number; and `-->` in a word becomes `->` in subtitles, since a cue that has it cannot be read.
 */

import { json } from './formats/json.js';
import { tsv, txt } from './formats/plain.js';
import { srt, vtt, type SubtitleOptions } from './formats/subtitles.js';
import { written } from './formats/written.js';
import type { Transcript } from './types.js';

export type { SubtitleOptions } from './formats/subtitles.js';

/** Plain text, a line for each segment. */
export function toTxt(transcript: Transcript): string {
  return txt(written(transcript));
}

/** SubRip subtitles. `options` tell where lines and cues break, where words have times. */
export function toSrt(transcript: Transcript, options: SubtitleOptions = {}): string {
  return srt(written(transcript), options);
}

/** WebVTT subtitles. `options` tell where lines and cues break, where words have times. */
export function toVtt(transcript: Transcript, options: SubtitleOptions = {}): string {
  return vtt(written(transcript), options);
}

/** Tab-separated values: start and end in milliseconds, and text. */
export function toTsv(transcript: Transcript): string {
  return tsv(written(transcript));
}

/** Everything that is known, as JSON. */
export function toJson(transcript: Transcript): string {
  return json(written(transcript));
}

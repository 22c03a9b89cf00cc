/** SubRip and WebVTT. */

import { length, milliseconds, strip, stripStart } from './python.js';
import type { Written, WrittenWord } from './written.js';

/** How subtitles are laid out where words have times: whisper's options of these names. Without any, a cue is a segment. */
export interface SubtitleOptions {
  /** Most characters of a line, at least 1. */
  maxLineWidth?: number;
  /** Most lines of a cue, at least 1. Has no effect without `maxLineWidth`. */
  maxLineCount?: number;
  /** Most words of a cue, at least 1. Has no effect with `maxLineWidth` and `maxLineCount`. */
  maxWordsPerLine?: number;
  /** Whether there is a cue for every word, which is underlined in it. */
  highlightWords?: boolean;
}

/** What whisper takes for a limit where none is given, of words as of characters. */
const NO_LIMIT = 1_000;

/** A pause so long ends a cue, where cues may reach across segments. */
const LONG_PAUSE_S = 3;

/** One subtitle. */
interface Cue {
  startMs: number;
  endMs: number;
  text: string;
}

export function srt(transcript: Written, options: SubtitleOptions): string {
  const written = cues(transcript, options).map(({ startMs, endMs, text }, index) => {
    return `${index + 1}\n${timestamp(startMs, true, ',')} --> ${timestamp(endMs, true, ',')}\n${text}\n\n`;
  });
  return written.join('');
}

export function vtt(transcript: Written, options: SubtitleOptions): string {
  const written = cues(transcript, options).map(({ startMs, endMs, text }) => {
    return `${timestamp(startMs, false, '.')} --> ${timestamp(endMs, false, '.')}\n${text}\n\n`;
  });
  return `WEBVTT\n\n${written.join('')}`;
}

/** `HH:MM:SS` and the milliseconds after `decimalMarker`; hours are left out while they are 0, unless `hoursAlways`. */
function timestamp(totalMs: number, hoursAlways: boolean, decimalMarker: string): string {
  const digits = (value: number, count: number): string => String(Math.floor(value)).padStart(count, '0');
  const hours = Math.floor(totalMs / 3_600_000);
  const shownHours = hoursAlways || hours > 0 ? `${digits(hours, 2)}:` : '';
  const minutes = digits((totalMs / 60_000) % 60, 2);
  return `${shownHours}${minutes}:${digits((totalMs / 1_000) % 60, 2)}${decimalMarker}${digits(totalMs % 1_000, 3)}`;
}

/**
 * A cue for each segment, or, where there are words, for each group of them. A segment without words is no cue then.
 * Whether there are words is decided by the first segment, as whisper does.
 */
function cues(transcript: Written, options: SubtitleOptions): Cue[] {
  if (transcript.segments[0]?.words) {
    const groups = grouped(transcript, checked(options));
    return groups.flatMap((words) => (options.highlightWords ? highlighted(words) : plain(words)));
  }
  return transcript.segments.map(({ startS, endS, text }) => {
    return { startMs: milliseconds(startS), endMs: milliseconds(endS), text: cueText(strip(text)) };
  });
}

function checked(options: SubtitleOptions): SubtitleOptions {
  for (const name of ['maxLineWidth', 'maxLineCount', 'maxWordsPerLine'] as const) {
    const value = options[name];
    if (value !== undefined && !(Number.isInteger(value) && value >= 1)) {
      throw new RangeError(`${name} is ${value}: give a whole number of at least 1, or leave it out`);
    }
  }
  return options;
}

/**
 * Groups words to cues, with line feeds before those that begin another line, as `SubtitlesWriter.iterate_result` does:
 * a cue ends with its segment, unless both the width and the number of lines are limited; those then decide, and long
 * pauses.
 */
function grouped(transcript: Written, options: SubtitleOptions): WrittenWord[][] {
  const { maxLineWidth, maxLineCount, maxWordsPerLine } = options;
  const keepsSegments = maxLineCount === undefined || maxLineWidth === undefined;
  const maxLineChars = maxLineWidth ?? NO_LIMIT;
  const runs = transcript.segments.flatMap(({ words }) => chunks(words ?? [], maxWordsPerLine ?? NO_LIMIT));

  const groups: WrittenWord[][] = [];
  let group: WrittenWord[] = [];
  let lineChars = 0;
  let lines = 1;
  let lastStartS: number | undefined;
  for (const run of runs) {
    for (const [index, word] of run.entries()) {
      const sinceS = word.startS - (lastStartS ?? word.startS);
      lastStartS = word.startS;
      const longPause = !keepsSegments && sinceS > LONG_PAUSE_S;
      const segmentEnds = keepsSegments && index === 0 && group.length > 0;
      const chars = length(word.word);
      if (lineChars > 0 && lineChars + chars <= maxLineChars && !longPause && !segmentEnds) {
        lineChars += chars;
        group.push(word);
        continue;
      }
      const stripped = strip(word.word);
      const full = maxLineCount !== undefined && (longPause || lines >= maxLineCount);
      const endsCue = segmentEnds || (full && group.length > 0);
      const breaksLine = !endsCue && lineChars > 0;
      lineChars = length(stripped);
      if (endsCue) {
        groups.push(group);
        group = [];
        lines = 1;
      } else if (breaksLine) {
        lines += 1;
      }
      group.push({ ...word, word: breaksLine ? `\n${stripped}` : stripped });
    }
  }
  if (group.length > 0) groups.push(group);
  return groups;
}

function chunks<T>(items: T[], size: number): T[][] {
  const count = Math.ceil(items.length / size);
  return Array.from({ length: count }, (_, index) => items.slice(index * size, (index + 1) * size));
}

/** One cue for all words. */
function plain(words: WrittenWord[]): Cue[] {
  const [first, last] = [words[0], words[words.length - 1]];
  if (!first || !last) return [];
  return [{ startMs: milliseconds(first.startS), endMs: milliseconds(last.endS), text: cueText(joined(words)) }];
}

/** One cue for each word, with all of them and that one underlined, and one with none underlined for each pause. */
function highlighted(words: WrittenWord[]): Cue[] {
  const cues: Cue[] = [];
  let lastMs = words[0] ? milliseconds(words[0].startS) : 0;
  for (const [spoken, { startS, endS }] of words.entries()) {
    const [startMs, endMs] = [milliseconds(startS), milliseconds(endS)];
    if (lastMs !== startMs) {
      cues.push({ startMs: lastMs, endMs: startMs, text: cueText(joined(words)) });
    }
    const shown = words.map(({ word }, index) => (index === spoken ? underlined(word) : word));
    cues.push({ startMs, endMs, text: cueText(shown.join('')) });
    lastMs = endMs;
  }
  return cues;
}

function joined(words: WrittenWord[]): string {
  return words.map(({ word }) => word).join('');
}

/** Underlines what stands after the white space that a word begins with. */
function underlined(word: string): string {
  const body = stripStart(word);
  return `${word.slice(0, word.length - body.length)}<u>${body}</u>`;
}

/** An arrow within the text would end the cue. */
function cueText(text: string): string {
  return text.replaceAll('-->', '->');
}

/** A transcript in the shape that openai-whisper's files have. */

import type { Segment, Transcript } from '../types.js';

/** What was said in one file. */
export interface Written {
  /** The segments' texts, one after the other, each with the space it begins with. */
  text: string;
  /** The segments, in the order in which they were said. */
  segments: WrittenSegment[];
  /** The language's code, such as `en`, where the model tells or has only one. */
  language: string | null;
}

/** A stretch of speech and its text. What a model cannot give is `null`. */
export interface WrittenSegment {
  id: number;
  /** Where the model's window began, in hundredths of a second, where it has windows. */
  seek: number | null;
  startS: number;
  endS: number;
  /** The text. By whisper's convention it begins with a space where a word begins, so that texts can be joined. */
  text: string;
  tokens: number[];
  temperature: number | null;
  /** Mean of the tokens' natural log-probabilities. */
  averageLogProbability: number | null;
  compressionRatio: number | null;
  noSpeechProbability: number | null;
  /** The text word by word, where word times were asked for. */
  words: WrittenWord[] | null;
}

/** One word. */
export interface WrittenWord {
  /** The word with its punctuation and, by whisper's convention, the space before it. */
  word: string;
  startS: number;
  endS: number;
  /** How sure the model is of it, 0 to 1. */
  probability: number | null;
}

/** Puts the final segments of a recording together. Those without text are left out. */
export function written(transcript: Transcript): Written {
  const segments = transcript.segments.filter(({ text }) => text !== '').map(writtenSegment);
  const language = transcript.language ?? transcript.segments.find((segment) => segment.language)?.language ?? null;
  return { text: segments.map(({ text }) => text).join(''), segments, language };
}

function writtenSegment(segment: Segment): WrittenSegment {
  const text = ` ${segment.text}`;
  return {
    id: segment.id,
    seek: null,
    startS: segment.startS,
    endS: segment.endS,
    text,
    tokens: segment.tokens.map(({ id }) => id),
    temperature: segment.source === 'device' ? 0 : null,
    averageLogProbability: averageLogProbability(segment),
    compressionRatio: segment.compressionRatio ?? null,
    noSpeechProbability: segment.noSpeechProbability ?? null,
    words: writtenWords(segment, text),
  };
}

/** Mean of the tokens' natural log-probabilities, where the model or the server tells. */
export function averageLogProbability({ source, tokens, averageLogProbability }: Segment): number | null {
  if (source === 'server') return averageLogProbability ?? null;
  return tokens.reduce((sum, { logProbability }) => sum + logProbability, 0) / Math.max(tokens.length, 1);
}

/** The words with what stands before each in `text`, so that joined they are the text; `null` where one has no time. */
function writtenWords(segment: Segment, text: string): WrittenWord[] | null {
  const words: WrittenWord[] = [];
  let written = 0;
  for (const { text: word, startS, endS, confidence } of segment.words) {
    if (startS === undefined || endS === undefined) return null;
    const found = text.indexOf(word, written);
    const end = found < 0 ? written : found + word.length;
    words.push({ word: text.slice(written, end), startS, endS, probability: confidence ?? null });
    written = end;
  }
  return words.length > 0 ? words : null;
}

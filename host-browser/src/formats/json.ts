/** JSON in the style of Python's `json.dump`: a space after each comma and colon, ASCII only, floats as Python has them. */

import { float, jsonString } from './python.js';
import type { Written, WrittenSegment, WrittenWord } from './written.js';

/** The fields in whisper's order (`transcribe.py`: what `transcribe` returns, and `new_segment`). */
export function json({ text, segments, language }: Written): string {
  return object([
    ['text', jsonString(text)],
    ['segments', array(segments.map(segmentJson))],
    ['language', language === null ? 'null' : jsonString(language)],
  ]);
}

function segmentJson(segment: WrittenSegment): string {
  const words: [string, string][] = segment.words ? [['words', array(segment.words.map(wordJson))]] : [];
  return object([
    ['id', String(segment.id)],
    ['seek', segment.seek === null ? 'null' : String(segment.seek)],
    ['start', number(segment.startS)],
    ['end', number(segment.endS)],
    ['text', jsonString(segment.text)],
    ['tokens', array(segment.tokens.map(String))],
    ['temperature', number(segment.temperature)],
    ['avg_logprob', number(segment.averageLogProbability)],
    ['compression_ratio', number(segment.compressionRatio)],
    ['no_speech_prob', number(segment.noSpeechProbability)],
    ...words,
  ]);
}

function wordJson({ word, startS, endS, probability }: WrittenWord): string {
  return object([
    ['word', jsonString(word)],
    ['start', number(startS)],
    ['end', number(endS)],
    ['probability', number(probability)],
  ]);
}

/** What JSON cannot say is `null`. */
function number(value: number | null): string {
  return value !== null && Number.isFinite(value) ? float(value) : 'null';
}

function object(fields: [name: string, json: string][]): string {
  return `{${fields.map(([name, value]) => `${jsonString(name)}: ${value}`).join(', ')}}`;
}

function array(items: string[]): string {
  return `[${items.join(', ')}]`;
}

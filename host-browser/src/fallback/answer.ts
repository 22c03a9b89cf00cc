/** What a server of OpenAI's kind answers, as a transcript. */

import { ServerError } from '../errors.js';
import { SAMPLE_RATE_HZ, type Segment, type Transcript, type Word } from '../types.js';

/** The parts of `verbose_json` that are read. A server may leave out all but the text. */
interface Answer {
  text: string;
  language?: unknown;
  segments?: unknown;
  words?: unknown;
}

type Fields = Record<string, unknown>;

/** Reads an answer to audio of so many samples. Throws `ServerError` where it is none. */
export function transcriptOf(json: string, samples: number): Transcript {
  const answer = parsed(json);
  const durationS = samples / SAMPLE_RATE_HZ;
  const language = languageTag(answer.language);
  const words = list(answer.words).flatMap((fields) => wordOf(fields, durationS));
  const whole: Fields = { start: 0, end: durationS, text: answer.text };
  const given = list(answer.segments);
  const segments = (given.length > 0 ? given : [whole])
    .map((fields) => segmentOf(fields, durationS, words, language))
    .filter(({ text }) => text !== '')
    .map((segment, id) => ({ ...segment, id }));
  const text = segments.map((segment) => segment.text).join(' ');
  return { text, segments, ...(language !== undefined && { language }), durationS, source: 'server' };
}

function parsed(json: string): Answer {
  let answer: unknown;
  try {
    answer = JSON.parse(json);
  } catch {
    answer = undefined;
  }
  if (typeof answer !== 'object' || answer === null || typeof (answer as Fields)['text'] !== 'string') {
    throw new ServerError('malformed-answer', 'The server answers with no JSON that has a `text`: check its address.');
  }
  return answer as Answer;
}

function segmentOf(fields: Fields, durationS: number, words: Word[], language: string | undefined): Segment {
  const startS = seconds(fields['start'], 0, durationS) ?? 0;
  const endS = seconds(fields['end'], startS, durationS) ?? durationS;
  const text = typeof fields['text'] === 'string' ? fields['text'].trim() : '';
  // Servers give words apart from segments: a word belongs where its middle lies.
  const own = words.filter((word) => {
    const middleS = ((word.startS ?? 0) + (word.endS ?? 0)) / 2;
    return middleS >= startS && (middleS < endS || endS === durationS);
  });
  const untimed = text.split(/\s+/).map((word) => ({ text: word }));
  const isWhole = own.length > 0 && squeezed(own.map((word) => word.text).join('')) === squeezed(text);
  const shown: Word[] = isWhole ? own : untimed;
  return {
    id: 0,
    revision: 0,
    startSample: Math.round(startS * SAMPLE_RATE_HZ),
    endSample: Math.round(endS * SAMPLE_RATE_HZ),
    startS,
    endS,
    text,
    words: text === '' ? [] : shown,
    settledWords: text === '' ? 0 : shown.length,
    settledChanged: false,
    tokens: [],
    ...(language !== undefined && { language }),
    ...known('noSpeechProbability', fields['no_speech_prob']),
    ...known('averageLogProbability', fields['avg_logprob']),
    ...known('compressionRatio', fields['compression_ratio']),
    guards: [],
    endedBy: 'finish',
    source: 'server',
  };
}

function wordOf(fields: Fields, durationS: number): Word[] {
  const startS = seconds(fields['start'], 0, durationS);
  const endS = startS === undefined ? undefined : seconds(fields['end'], startS, durationS);
  const text = typeof fields['word'] === 'string' ? fields['word'].trim() : '';
  if (startS === undefined || endS === undefined || text === '') return [];
  const [startSample, endSample] = [Math.round(startS * SAMPLE_RATE_HZ), Math.round(endS * SAMPLE_RATE_HZ)];
  return [{ text, startSample, endSample, startS, endS }];
}

/** A number, moved into a span where it lies outside. */
function seconds(value: unknown, least: number, most: number): number | undefined {
  if (typeof value !== 'number' || !Number.isFinite(value)) return undefined;
  return Math.min(Math.max(value, least), most);
}

function known<Name extends string>(name: Name, value: unknown): { [Key in Name]?: number } {
  return (typeof value === 'number' && Number.isFinite(value) ? { [name]: value } : {}) as { [Key in Name]?: number };
}

function list(value: unknown): Fields[] {
  const items: unknown[] = Array.isArray(value) ? value : [];
  return items.filter((item): item is Fields => typeof item === 'object' && item !== null);
}

function squeezed(text: string): string {
  return text.replace(/\s+/g, '');
}

/** A BCP 47 tag. Servers say `en`, or, as OpenAI's, `english`. */
function languageTag(language: unknown): string | undefined {
  if (typeof language !== 'string' || language === '') return undefined;
  if (/^[a-z]{2,3}(-[a-z\d]+)*$/i.test(language)) return language;
  const names = new Intl.DisplayNames(['en'], { type: 'language', fallback: 'none' });
  const letters = [...'abcdefghijklmnopqrstuvwxyz'];
  const codes = letters.flatMap((first) => letters.map((second) => first + second));
  return codes.find((code) => names.of(code)?.toLowerCase() === language.toLowerCase());
}

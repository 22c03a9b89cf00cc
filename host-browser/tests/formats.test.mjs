/** Transcripts as files, against `testdata/formats`, whose README tells how they were made. */

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';

import { toJson, toSrt, toTsv, toTxt, toVtt } from '../dist/formats.js';
import { json } from '../dist/formats/json.js';
import { tsv, txt } from '../dist/formats/plain.js';
import { float, milliseconds, strip } from '../dist/formats/python.js';
import { srt, vtt } from '../dist/formats/subtitles.js';

/**
 * @typedef {import('../dist/formats/written.js').Written} Written
 * @typedef {import('../dist/formats/written.js').WrittenSegment} WrittenSegment
 * @typedef {import('../dist/formats/written.js').WrittenWord} WrittenWord
 * @typedef {import('../dist/types.js').Segment} Segment
 * @typedef {import('../dist/types.js').Transcript} Transcript
 */

/** @type {WrittenSegment} */
const UNKNOWN = {
  id: 0,
  seek: null,
  startS: 0,
  endS: 0,
  text: '',
  tokens: [],
  temperature: null,
  averageLogProbability: null,
  compressionRatio: null,
  noSpeechProbability: null,
  words: null,
};

/** @type {Written} What the files `segments.*` are of; `make_fixtures.py` has the same. */
const SEGMENTS = {
  text: ' And so, my fellow Americans: “ask not” — 50 % \\ "quoted". Ça va? \t日本語 🎙 a --> b\u007f fin',
  segments: [
    {
      ...UNKNOWN,
      seek: 0,
      endS: 3.2,
      text: ' And so, my fellow Americans: “ask not” — 50 % \\ "quoted".',
      tokens: [400, 370, 11, 452],
      temperature: 0,
      averageLogProbability: -0.237194821,
      compressionRatio: 0.9,
      noSpeechProbability: 1.5e-5,
    },
    { ...UNKNOWN, id: 1, startS: 59.9996, endS: 3661.0625, text: ' Ça va? \t日本語 🎙 a --> b\u007f' },
    {
      ...UNKNOWN,
      id: 2,
      seek: 6000,
      startS: 3661.0635,
      endS: 360000.5,
      text: ' fin',
      temperature: 0.2,
      averageLogProbability: -1,
      compressionRatio: 1e16,
      noSpeechProbability: 1,
    },
  ],
  language: 'en',
};

/** @type {Written} */
const EMPTY = { text: '', segments: [], language: null };

/** @type {(word: string, startS: number, endS: number) => WrittenWord} */
const word = (text, startS, endS) => ({ word: text, startS, endS, probability: 0.75 });

/** @type {(id: number, words: WrittenWord[]) => WrittenSegment} */
const segmentOf = (id, words) => ({
  ...UNKNOWN,
  id,
  seek: 0,
  startS: id * 10,
  endS: id * 10 + 10,
  text: words.map(({ word }) => word).join(''),
  tokens: [1, 2],
  temperature: 0,
  averageLogProbability: -0.5,
  compressionRatio: 1.25,
  noSpeechProbability: 0.125,
  words,
});

/** @type {(...segments: WrittenWord[][]) => Written} */
const transcriptOf = (...segments) => {
  const written = segments.map((words, id) => segmentOf(id, words));
  return { text: written.map(({ text }) => text).join(''), segments: written, language: 'en' };
};

/** An ordinary segment, one without words, and one too long for a line. */
const WORDS = transcriptOf(
  [word(' And', 0.32, 0.5), word(' so,', 0.5, 1.04), word(' Ωmega.', 1.06, 1.875)],
  [],
  Array.from({ length: 150 }, (_, n) => word(' abcdefgh', 20.0 + 0.05 * n, 20.05 + 0.05 * n)),
);

/** Pauses short and long; words wider than a line; one that is only white space. */
const FOR_SUBTITLES = transcriptOf(
  [
    ...'We hold these truths to be self-evident, that all men'
      .split(' ')
      .map((text, n) => word(` ${text}`, 0.5 + 0.4 * n, 0.8 + 0.4 * n)),
    word(' are', 9.0, 9.25),
    word(' created', 9.25, 9.75),
    word(' \u3000', 9.75, 9.8),
    word(' equal.', 9.8, 10.5),
  ],
  [word(' That', 10.75, 11.0), word(' Überunabhängigkeitserklärung', 11.0, 12.5), word(' is', 12.5, 12.6)],
  [],
  [word(' 人', 20.0, 20.25), word('生', 20.25, 20.5), word('、', 20.5, 20.5), word(' Liberty.', 23.75, 24.5)],
);

/** @type {(name: string) => Promise<string>} */
const fixture = (name) => readFile(new URL(`../../testdata/formats/${name}`, import.meta.url), 'utf8');

for (const [stem, transcript] of /** @type {const} */ ([
  ['segments', SEGMENTS],
  ['words', WORDS],
  ['empty', EMPTY],
])) {
  test(`every format of "${stem}" has the bytes that whisper writes`, async () => {
    assert.equal(txt(transcript), await fixture(`${stem}.txt`));
    assert.equal(tsv(transcript), await fixture(`${stem}.tsv`));
    assert.equal(srt(transcript, {}), await fixture(`${stem}.srt`));
    assert.equal(vtt(transcript, {}), await fixture(`${stem}.vtt`));
    assert.equal(json(transcript), await fixture(`${stem}.json`));
  });
}

test('every layout of subtitles has the bytes that whisper writes', async () => {
  /** @type {[string, import('../dist/formats.js').SubtitleOptions][]} */
  const layouts = [
    ['width20', { maxLineWidth: 20 }],
    ['count2', { maxLineCount: 2 }],
    ['words3', { maxWordsPerLine: 3 }],
    ['highlight', { highlightWords: true }],
    ['width20-count2', { maxLineWidth: 20, maxLineCount: 2 }],
    ['width9-count1', { maxLineWidth: 9, maxLineCount: 1 }],
    ['width10-words3', { maxLineWidth: 10, maxWordsPerLine: 3 }],
    ['width20-count2-words3', { maxLineWidth: 20, maxLineCount: 2, maxWordsPerLine: 3 }],
    ['width20-count2-highlight', { maxLineWidth: 20, maxLineCount: 2, highlightWords: true }],
  ];
  for (const [stem, options] of layouts) {
    assert.equal(srt(FOR_SUBTITLES, options), await fixture(`subtitles-${stem}.srt`), stem);
    assert.equal(vtt(FOR_SUBTITLES, options), await fixture(`subtitles-${stem}.vtt`), stem);
  }
});

test('layout changes nothing where there are no words', async () => {
  const options = { maxLineWidth: 5, highlightWords: true };
  assert.equal(srt(SEGMENTS, options), await fixture('segments.srt'));
  assert.equal(vtt(SEGMENTS, options), await fixture('segments.vtt'));
});

test('a layout that cannot be is refused with the name of the option', () => {
  for (const maxLineWidth of [0, -1, 1.5, NaN]) {
    assert.throws(() => srt(FOR_SUBTITLES, { maxLineWidth }), /^RangeError: maxLineWidth is /);
  }
});

test('numbers that json cannot say are null', () => {
  const [first] = SEGMENTS.segments;
  assert.ok(first);
  const endless = { ...SEGMENTS, segments: [{ ...first, averageLogProbability: -Infinity }] };
  assert.equal(JSON.parse(json(endless)).segments[0].avg_logprob, null);
});

test('an arrow in a word does not break the cue', () => {
  const arrow = transcriptOf([word(' And', 0, 1), word(' -->', 1, 2), word(' on.', 2, 3)]);
  assert.match(vtt(arrow, {}), /\nAnd -> on\.\n/);
});

test('floats are printed as python prints them', () => {
  // Left: what `repr` gives in Python 3.
  /** @type {[string, number][]} */
  const cases = [
    ['0.0', 0],
    ['-0.0', -0],
    ['1.0', 1],
    ['0.1', 0.1],
    ['-0.30000000000000004', -(0.1 + 0.2)],
    ['11.0', 11],
    ['0.0001', 1e-4],
    ['0.00012345', 1.2345e-4],
    ['-0.00012345', -1.2345e-4],
    ['1e-05', 1e-5],
    ['1.5e-07', 1.5e-7],
    ['123456789.125', 123456789.125],
    ['1000000000000000.0', 1e15],
    ['1e+16', 1e16],
    ['1.2345678901234568e+16', 12345678901234568],
    ['1.7976931348623157e+308', Number.MAX_VALUE],
    ['5e-324', Number.MIN_VALUE],
  ];
  for (const [expected, value] of cases) assert.equal(float(value), expected);
});

test('milliseconds round halves to even', () => {
  /** @type {[number, number][]} */
  const cases = [
    [0.0005, 0],
    [0.0015, 2],
    [0.0025, 2],
    [3599.9996, 3600000],
    [-0.25, 0],
    [NaN, 0],
  ];
  for (const [seconds, expected] of cases) assert.equal(milliseconds(seconds), expected);
});

test('strip takes what python takes', () => {
  assert.equal(strip('\u001f \t\u00a0\u3000a b\u0085\n\u001c'), 'a b');
  // Neither is white space there, and JavaScript takes the second for some.
  assert.equal(strip('\u200ba'), '\u200ba');
  assert.equal(strip('\ufeffa'), '\ufeffa');
});

/** @type {Segment} */
const SEGMENT = {
  id: 3,
  revision: 1,
  startSample: 16_000,
  endSample: 40_000,
  startS: 1,
  endS: 2.5,
  text: 'Hello, you you.',
  words: [
    { text: 'Hello,', startSample: 16_000, endSample: 24_000, startS: 1, endS: 1.5, confidence: 0.5 },
    { text: 'you', startSample: 24_000, endSample: 32_000, startS: 1.5, endS: 2, confidence: 0.5 },
    { text: 'you.', startSample: 32_000, endSample: 40_000, startS: 2, endS: 2.5, confidence: 0.5 },
  ],
  settledWords: 3,
  settledChanged: false,
  tokens: [
    { id: 7, logProbability: -0.5, entropy: 0.1 },
    { id: 8, logProbability: -0.25, entropy: 0.1 },
  ],
  language: 'en',
  guards: [],
  endedBy: 'finish',
  source: 'device',
};

/** @type {(...segments: Segment[]) => Transcript} */
const spoken = (...segments) => ({ text: '', segments, durationS: 3, source: 'device' });

test('words joined are the text whatever stands between them', () => {
  const chinese = {
    ...SEGMENT,
    text: '你好',
    words: [
      { text: '你', startS: 1, endS: 1.5, confidence: 1 },
      { text: '好', startS: 1.5, endS: 2.5, confidence: 1 },
    ],
  };
  const { text, segments, language } = JSON.parse(toJson(spoken(SEGMENT, chinese)));
  assert.equal(text, ' Hello, you you. 你好');
  assert.equal(language, 'en');
  for (const segment of segments) {
    const words = segment.words.map((/** @type {{ word: string }} */ { word }) => word);
    assert.equal(words.join(''), segment.text);
    assert.ok(words[0].startsWith(' '));
  }
  assert.equal(segments[0].avg_logprob, -0.375);
  assert.equal(toSrt(spoken(SEGMENT), { maxWordsPerLine: 2 }).split('\n')[2], 'Hello, you');
});

test('words are left out where one has no time', () => {
  const { text, confidence } = { text: 'you.', confidence: 0.5 };
  const untimed = { ...SEGMENT, words: [...SEGMENT.words.slice(0, 2), { text, confidence }] };
  assert.equal('words' in JSON.parse(toJson(spoken(untimed))).segments[0], false);
  assert.equal(toVtt(spoken(untimed)), 'WEBVTT\n\n00:01.000 --> 00:02.500\nHello, you you.\n\n');
});

test('segments without text are left out', () => {
  const transcript = spoken({ ...SEGMENT, text: '', words: [] }, SEGMENT);
  assert.equal(toTxt(transcript), 'Hello, you you.\n');
  assert.equal(toTsv(transcript), 'start\tend\ttext\n1000\t2500\tHello, you you.\n');
});

/** What is sent to a server of OpenAI's kind, and what is made of its answers. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { transcriptOf } from '../dist/fallback/answer.js';
import { askServer, endpoint } from '../dist/fallback/request.js';
import { toJson, toSrt } from '../dist/formats.js';
import { serveTranscriptions, VERBOSE_JSON } from './support/transcription-server.mjs';

const SAMPLES = new Float32Array(32_000).map((_, index) => Math.sin(index / 10));

test('the server gets what OpenAI takes, and the audio as 16-bit WAV at 16 kHz', async (t) => {
  const server = await serveTranscriptions();
  t.after(() => server.close());
  const named = { url: server.origin, apiKey: 'secret', model: 'large', headers: { 'x-team': 'a' } };
  const transcript = await askServer(named, SAMPLES, { language: 'en', wordTimes: true });

  assert.equal(transcript.text, 'Said to the server.');
  assert.equal(transcript.source, 'server');
  const [asked] = server.asked;
  assert.equal(asked.path, '/v1/audio/transcriptions');
  assert.equal(asked.headers.authorization, 'Bearer secret');
  assert.equal(asked.headers['x-team'], 'a');
  assert.deepEqual(asked.fields, {
    model: ['large'],
    response_format: ['verbose_json'],
    language: ['en'],
    'timestamp_granularities[]': ['segment', 'word'],
  });
  assert.equal(asked.file.toString('latin1', 0, 4) + asked.file.toString('latin1', 8, 16), 'RIFFWAVEfmt ');
  assert.equal(asked.file.length, 44 + 2 * SAMPLES.length);
  assert.deepEqual([asked.file.readUInt16LE(22), asked.file.readUInt32LE(24), asked.file.readUInt16LE(34)], [1, 16_000, 16]);
  assert.equal(asked.file.readInt16LE(44 + 2 * 5), Math.round((SAMPLES[5] ?? 0) * 32_768));
});

test('nothing is sent that was not named', async (t) => {
  const server = await serveTranscriptions();
  t.after(() => server.close());
  await askServer({ url: `${server.origin}/v1/` }, SAMPLES, {});
  assert.equal(server.asked[0].headers.authorization, undefined);
  assert.deepEqual(server.asked[0].fields, { model: ['whisper-1'], response_format: ['verbose_json'] });
});

test('the address may be the server, its v1 or the endpoint', () => {
  for (const address of ['https://a.example', 'https://a.example/v1', 'https://a.example/v1/audio/transcriptions']) {
    assert.equal(endpoint(address).href, 'https://a.example/v1/audio/transcriptions');
  }
  assert.equal(endpoint('https://a.example/proxy/speech').href, 'https://a.example/proxy/speech');
});

test('what the server refuses is a typed error with its explanation', async (t) => {
  const server = await serveTranscriptions({ status: 413, body: '{"error": {"message": "The file is too large"}}' });
  t.after(() => server.close());
  await assert.rejects(askServer({ url: server.origin }, SAMPLES, {}), (/** @type {any} */ error) => {
    assert.equal(error.name, 'ServerError');
    assert.equal(error.code, 'http-status');
    assert.equal(error.details.status, 413);
    assert.match(error.message, /answers 413: The file is too large\.$/);
    return true;
  });
});

test('an answer that is none is a typed error', async (t) => {
  const server = await serveTranscriptions();
  t.after(() => server.close());
  for (const body of ['<html>', 'null', '"text"', '{}', '{"text": 5}']) {
    server.answers({ body });
    await assert.rejects(askServer({ url: server.origin }, SAMPLES, {}), { name: 'ServerError', code: 'malformed-answer' });
  }
});

test('a redirect to a server that was not named is not followed', async (t) => {
  const [named, other] = [await serveTranscriptions(), await serveTranscriptions()];
  t.after(() => Promise.all([named.close(), other.close()]));
  named.answers({ status: 307, headers: { location: `${other.origin}/v1/audio/transcriptions` } });
  await assert.rejects(askServer({ url: named.origin }, SAMPLES, {}), { name: 'ServerError', code: 'network' });
  assert.equal(other.asked.length, 0);
});

test('no server and a cancelled request are told apart', async () => {
  const url = 'http://127.0.0.1:1';
  await assert.rejects(askServer({ url }, SAMPLES, {}), { name: 'ServerError', code: 'network' });
  const reason = new Error('enough');
  await assert.rejects(askServer({ url }, SAMPLES, { signal: AbortSignal.abort(reason) }), reason);
});

test('an answer of text alone is one segment of the whole audio', () => {
  const { segments, durationS, language } = transcriptOf('{"text": " Only text. "}', 48_000);
  assert.deepEqual([durationS, language, segments.length], [3, undefined, 1]);
  const [{ text, startS, endS, words, tokens }] = segments;
  assert.deepEqual({ text, startS, endS, tokens }, { text: 'Only text.', startS: 0, endS: 3, tokens: [] });
  assert.deepEqual(words, [{ text: 'Only' }, { text: 'text.' }]);
});

test('silence is an empty transcript', () => {
  const { text, segments } = transcriptOf('{"text": "", "segments": []}', 16_000);
  assert.deepEqual({ text, segments }, { text: '', segments: [] });
});

test('what the server tells of a segment is kept, and written to files', () => {
  const transcript = transcriptOf(JSON.stringify(VERBOSE_JSON), 32_000);
  assert.equal(transcript.language, 'en');
  const [segment] = transcript.segments;
  assert.deepEqual(
    [segment.noSpeechProbability, segment.averageLogProbability, segment.compressionRatio, segment.source],
    [0.01, -0.25, 0.75, 'server'],
  );
  const written = JSON.parse(toJson(transcript)).segments[0];
  assert.deepEqual([written.avg_logprob, written.compression_ratio, written.temperature], [-0.25, 0.75, null]);
  assert.equal(toSrt(transcript), '1\n00:00:00,250 --> 00:00:01,750\nSaid to the server.\n\n');
});

test('words get their times where the server tells them, and none where they are not those of the text', () => {
  const words = [
    { word: 'One', start: 0, end: 0.5 },
    { word: 'two.', start: 0.5, end: 1 },
    { word: 'Three.', start: 1.5, end: 2.5 },
  ];
  const segments = [
    { start: 0, end: 1, text: ' One two.' },
    { start: 1, end: 3, text: ' Three, four.' },
  ];
  const answer = JSON.stringify({ text: 'One two. Three, four.', language: 'en-GB', segments, words });
  const { segments: [timed, untimed], language } = transcriptOf(answer, 32_000);
  assert.equal(language, 'en-GB');
  assert.deepEqual(timed.words[1], { text: 'two.', startSample: 8_000, endSample: 16_000, startS: 0.5, endS: 1 });
  assert.deepEqual(untimed.words, [{ text: 'Three,' }, { text: 'four.' }]);
  // The audio is only 2 s long.
  assert.equal(untimed.endS, 2);
});

test('times that make no sense are moved into the audio', () => {
  const segments = [
    { start: -1, end: 'never', text: 'a' },
    { start: 5, end: 1, text: 'b' },
    null,
  ];
  const transcript = transcriptOf(JSON.stringify({ text: 'a b', segments }), 32_000);
  const spans = transcript.segments.map(({ id, startS, endS }) => [id, startS, endS]);
  assert.deepEqual(spans, [
    [0, 0, 2],
    [1, 2, 2],
  ]);
});

/** Recordings: all kinds of audio, progress, turns, and how transcribing fails and is cancelled. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { openAuricle } from './support/auricle.mjs';
import { launch } from './support/chromium.mjs';
import { HOME, unless } from './support/place.mjs';
import { serveSite } from './support/site.mjs';

const skip = unless('package', 'model', 'chromium');

/** @type {Awaited<ReturnType<typeof serveSite>>} */
let site;
/** @type {import('playwright-core').Browser} */
let browser;
/** @type {Awaited<ReturnType<typeof openAuricle>>} */
let opened;

before(async () => {
  if (!skip) {
    site = await serveSite({ '/samples/': `${HOME}/samples` });
    browser = await launch();
    opened = await openAuricle(browser, site);
  }
});
after(async () => {
  await browser?.close();
  await site?.close();
});

test('all kinds of audio give the same text, and a recording the pauses of a recording', { skip }, async () => {
  const { page, complaints } = opened;
  const results = await page.evaluate(async () => {
    const { auricle } = /** @type {any} */ (globalThis);
    const bytes = await (await fetch('/testdata/jfk.wav')).arrayBuffer();
    const samples = Float32Array.from(new Int16Array(bytes.slice(-352_000)), (sample) => sample / 32_768);
    const decoded = await new OfflineAudioContext(1, 1, 48_000).decodeAudioData(bytes.slice(0));
    const stereo = new AudioBuffer({ length: samples.length, numberOfChannels: 2, sampleRate: 16_000 });
    [0, 1].forEach((channel) => stereo.copyToChannel(samples, channel));
    const inputs = {
      address: '/testdata/jfk.wav',
      url: new URL('/testdata/jfk.wav', location.href),
      file: new File([bytes], 'jfk.wav'),
      blob: new Blob([bytes]),
      buffer: bytes,
      samples,
      pcm: { samples, sampleRateHz: 16_000 },
      stereo,
      decoded,
    };
    /** @type {Record<string, import('../dist/types.js').Transcript>} */
    const results = {};
    for (const [name, input] of Object.entries(inputs)) {
      results[name] = await auricle.transcribe(input);
    }
    // What was given is still the page's.
    return { results, kept: [bytes.byteLength, samples.length] };
  });
  const texts = Object.entries(results.results).map(([name, { text }]) => [name, text]);
  assert.equal(texts.length, 9);
  for (const [name, text] of texts) {
    assert.equal(text, 'And so my fellow Americans ask not what your country can do for you, ask what you can do for your country.', name);
  }
  const { segments, durationS, language, source } = results.results['address'];
  assert.deepEqual([segments.length, durationS, language, source], [1, 11, 'en', 'device']);
  assert.deepEqual(results.kept, [352_078, 176_000]);
  assert.deepEqual(complaints, []);
});

test('compressed audio is the browser\'s to decode', { skip }, async () => {
  for (const name of ['jfk-1s-44k1-stereo.mp3', 'jfk-1s-16k-mono.flac', 'jfk-1s-16k-mono.ogg', 'jfk-1s-16k-mono.m4a']) {
    const text = await opened.page.evaluate(async (name) => {
      const { auricle, outcome } = /** @type {any} */ (globalThis);
      const transcript = auricle.transcribe(`/testdata/audio/${name}`);
      return (await outcome(transcript)) === 'done' ? (await transcript).text : await outcome(transcript);
    }, name);
    assert.match(text, /\w/, name);
  }
});

test('events come in order and progress to its end, and the page\'s own faults do no harm', { skip }, async (t) => {
  const { context, page, complaints } = await openAuricle(browser, site);
  t.after(() => context.close());
  const { events, progress, metrics } = await page.evaluate(async () => {
    const { auricle, metrics } = /** @type {any} */ (globalThis);
    /** @type {any[]} */
    const events = [];
    /** @type {import('../dist/types.js').TranscribeProgress[]} */
    const progress = [];
    await auricle.transcribe('/testdata/jfk.wav', {
      wordTimes: true,
      partials: 'eager',
      endpointing: { minimumSilenceMs: 300 },
      onEvent(/** @type {any} */ event) {
        events.push(event);
        throw new Error("the page's own");
      },
      onProgress: (/** @type {any} */ step) => progress.push(step),
    });
    return { events, progress, metrics };
  });
  const types = events.map(({ type }) => type).join(' ');
  assert.match(types, /^(speechstart( partial)* final speechend ?)+ end$/);
  const finals = events.filter(({ type }) => type === 'final');
  assert.ok(finals.length > 1);
  for (const { segment, latencyMs, realTimeFactor } of finals) {
    assert.equal(segment.settledWords, segment.words.length);
    assert.ok(segment.words.every((/** @type {any} */ { startSample, endS }) => startSample >= 0 && endS > 0));
    assert.equal(latencyMs, undefined, 'a recording has no latency');
    assert.ok(realTimeFactor > 0);
  }
  assert.deepEqual(progress.at(-1), { processedS: 11, durationS: 11, fraction: 1 });
  assert.ok(progress.every(({ fraction }, index) => index === 0 || fraction > progress[index - 1].fraction));
  assert.equal(metrics.filter((/** @type {any} */ { name }) => name === 'real-time-factor').length, finals.length);
  const text = finals.map(({ segment }) => segment.text);
  assert.ok(!text.some((text) => JSON.stringify(metrics).includes(text)), 'measurements hold no text');
  assert.equal(complaints.length, events.length);
  assert.match(complaints[0], /the page's own/);
});

test('several transcriptions of one model take turns', { skip }, async () => {
  const order = await opened.page.evaluate(async () => {
    const { auricle } = /** @type {any} */ (globalThis);
    const audio = await (await fetch('/samples/two_cities.wav')).blob();
    /** @type {string[]} */
    const order = [];
    const long = auricle.transcribe(audio, { onEvent: () => order.push('long') });
    const short = Promise.all(
      [1, 2, 3].map(async () => {
        await auricle.transcribe('/testdata/jfk.wav');
        order.push('short');
      }),
    );
    await Promise.all([long, short]);
    return order;
  });
  assert.equal(order.filter((name) => name === 'short').length, 3);
  assert.equal(order.at(-1), 'long', 'the short ones did not wait for the long one');
});

test('audio that is none is a typed error', { skip }, async () => {
  const { page } = opened;
  const outcomes = await page.evaluate(async () => {
    const { auricle, outcome } = /** @type {any} */ (globalThis);
    const transcribe = (/** @type {unknown} */ audio, /** @type {object} */ options = {}) =>
      outcome(auricle.transcribe(audio, options));
    const wav = await (await fetch('/testdata/jfk.wav')).arrayBuffer();
    const broken = new Uint8Array(wav.slice(0, 20));
    return {
      nothing: await transcribe(new Blob([])),
      text: await transcribe(new Blob(['This is no audio at all.'])),
      broken: await transcribe(new Blob([broken])),
      number: await transcribe(7),
      none: await transcribe(undefined),
      missing: await transcribe('/testdata/nothing.wav'),
      elsewhere: await transcribe('http://127.0.0.1:9/audio.wav'),
      noAddress: await transcribe('http://'),
      notANumber: await transcribe(Float32Array.of(0, NaN)),
      loud: await transcribe(Float32Array.of(1e9)),
      rate: await transcribe({ samples: new Float32Array(16), sampleRateHz: 12.5 }),
      noRate: await transcribe({ samples: new Float32Array(16) }),
      long: await transcribe(new Float32Array(31 * 16_000), { endpointing: null }),
      silence: await transcribe(Float32Array.of(), { endpointing: { minimumSilenceMs: -1 } }),
      word: await transcribe(Float32Array.of(), { endpointing: { voiceActivity: 'telepathic' } }),
      partials: await transcribe(Float32Array.of(), { partials: 'many' }),
      language: await transcribe(Float32Array.of(), { language: 'de' }),
      tag: await transcribe(Float32Array.of(), { language: '?' }),
      longest: await transcribe(Float32Array.of(), { endpointing: { longestSegmentMs: 31_000 } }),
      empty: await transcribe(Float32Array.of()),
    };
  });
  assert.deepEqual(outcomes, {
    nothing: 'AudioError undecodable',
    text: 'AudioError undecodable',
    broken: 'AudioError undecodable',
    number: 'AudioError undecodable',
    none: 'AudioError undecodable',
    missing: 'DownloadError http-status',
    elsewhere: 'DownloadError network',
    noAddress: 'DownloadError network',
    notANumber: 'AudioError invalid-audio',
    loud: 'AudioError invalid-audio',
    rate: 'AudioError unsupported-rate',
    noRate: 'AudioError unsupported-rate',
    long: 'AudioError limit-exceeded',
    silence: 'EngineError invalid-option',
    word: 'EngineError invalid-option',
    partials: 'EngineError invalid-option',
    language: 'EngineError unsupported-option',
    tag: 'EngineError invalid-option',
    longest: 'EngineError invalid-option',
    empty: 'done',
  });
  const option = await page.evaluate(() =>
    /** @type {any} */ (globalThis).auricle
      .transcribe(new Float32Array(1), { endpointing: { longestSegmentMs: 31_000 } })
      .catch((/** @type {any} */ { details }) => details),
  );
  assert.deepEqual(option, { option: 'endpointing.longestSegmentMs' });
});

test('a transcription can be cancelled at any stage, and the next one is none the worse', { skip }, async () => {
  const outcomes = await opened.page.evaluate(async () => {
    const { auricle, outcome } = /** @type {any} */ (globalThis);
    const cancelled = (/** @type {object} */ options, /** @type {AbortController} */ controller) =>
      outcome(auricle.transcribe('/samples/two_cities.wav', { ...options, signal: controller.signal }));
    /** @type {string[]} */
    const outcomes = [];
    const before = new AbortController();
    before.abort();
    outcomes.push(await cancelled({}, before));
    const fetching = new AbortController();
    const pending = cancelled({}, fetching);
    fetching.abort();
    outcomes.push(await pending);
    const working = new AbortController();
    outcomes.push(await cancelled({ onProgress: () => working.abort() }, working));
    const speaking = new AbortController();
    outcomes.push(await cancelled({ onEvent: () => speaking.abort() }, speaking));
    outcomes.push((await auricle.transcribe('/testdata/jfk.wav')).text);
    return outcomes;
  });
  assert.deepEqual(outcomes.slice(0, 4), ['AbortError', 'AbortError', 'AbortError', 'AbortError']);
  assert.match(outcomes[4], /^And so my fellow Americans/);
});

test('closing cancels what is under way, and what comes after is told so', { skip }, async (t) => {
  const { context, page } = await openAuricle(browser, site);
  t.after(() => context.close());
  const outcomes = await page.evaluate(async () => {
    const { auricle, outcome } = /** @type {any} */ (globalThis);
    const pending = outcome(auricle.transcribe('/samples/two_cities.wav'));
    auricle.close();
    auricle.close();
    return [await pending, await outcome(auricle.transcribe('/testdata/jfk.wav')), await outcome(auricle.listen())];
  });
  assert.deepEqual(outcomes, ['AbortError', 'EngineError invalid-state', 'EngineError invalid-state']);
  // The Worker is ended at once, and the browser tells of it a little later: the test's time ends this.
  while (page.workers().length > 0) {
    await page.evaluate(() => {});
  }
});

/** Devices that cannot, in Chromium: refused, or helped by the server that the page names. */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { STRICT_CSP } from '../scripts/server.mjs';
import { launch } from './support/chromium.mjs';
import { unless } from './support/place.mjs';
import { openPage, serveSite } from './support/site.mjs';
import { serveTranscriptions } from './support/transcription-server.mjs';

/**
 * @typedef {typeof import('../dist/index.js')} Package
 * @typedef {typeof import('../dist/speech-recognition.js')} Speech
 */

const skip = unless('package', 'model', 'chromium');

/** What makes a browser of today one of 2020: no module with SIMD is valid in it. */
function withoutSimd() {
  WebAssembly.validate = () => false;
}

/** Speech of 2 s with a pause after it, as a track; without a microphone. */
function speakingTrack() {
  const context = new AudioContext();
  const output = new MediaStreamAudioDestinationNode(context);
  const buffer = new AudioBuffer({ length: 2 * context.sampleRate, sampleRate: context.sampleRate });
  buffer.copyToChannel(Float32Array.from({ length: buffer.length }, () => 0.4 * Math.random() - 0.2), 0);
  const source = new AudioBufferSourceNode(context, { buffer });
  source.connect(output);
  source.start(context.currentTime + 0.5);
  return output.stream.getAudioTracks()[0];
}

describe('a device that cannot', { skip }, () => {
  /** @type {import('playwright-core').Browser} */
  let browser;
  /** @type {import('../scripts/server.mjs').Served} */
  let site;
  /** @type {Awaited<ReturnType<typeof serveTranscriptions>>} */
  let server;
  /** @type {import('playwright-core').Page} */
  let page;

  before(async () => {
    server = await serveTranscriptions();
    // The policy must let the page speak to the server.
    site = await serveSite({}, { csp: `${STRICT_CSP} ${server.origin}` });
    browser = await launch({ flags: ['--autoplay-policy=no-user-gesture-required'] });
    ({ page } = await openPage(browser, site));
    await page.addInitScript(withoutSimd);
    await page.addInitScript(`globalThis.speakingTrack = ${speakingTrack}`);
    await page.reload();
  });
  after(async () => {
    await browser?.close();
    await site?.close();
    await server?.close();
  });

  test('is refused with the reason, and nothing is sent', async () => {
    const error = await page.evaluate(async () => {
      const { Auricle, CapabilityError } = /** @type {Package} */ (await import(/** @type {any} */ ('/auricle/index.js')));
      const error = await Auricle.load().catch((error) => error);
      return { isTyped: error instanceof CapabilityError, code: error.code, message: error.message };
    });
    assert.deepEqual([error.isTyped, error.code], [true, 'no-simd']);
    assert.match(error.message, /SIMD/);
    assert.equal(server.asked.length, 0);
    assert.deepEqual(site.requests.filter((path) => path.includes('.gguf')), []);
  });

  test('has the named server transcribe, and says so', async () => {
    const heard = await page.evaluate(async (url) => {
      const { Auricle, toSrt } = /** @type {Package} */ (await import(/** @type {any} */ ('/auricle/index.js')));
      /** @type {string[]} */
      const notices = [];
      const fallback = { url, apiKey: 'secret' };
      const auricle = await Auricle.load({ fallback, onNotice: ({ code, message }) => notices.push(`${code}: ${message}`) });
      /** @type {string[]} */
      const events = [];
      const options = { wordTimes: true, onEvent: (/** @type {{ type: string }} */ { type }) => events.push(type) };
      const transcript = await auricle.transcribe('/testdata/jfk.wav', options);
      const fromSamples = await auricle.transcribe({ samples: new Float32Array(48_000), sampleRateHz: 48_000 });
      auricle.close();
      const { source, engine, model } = auricle;
      return { notices, events, transcript, fromSamples, source, engine, model, srt: toSrt(transcript) };
    }, server.origin);
    assert.equal(heard.source, 'server');
    assert.equal(heard.engine.flavour, 'none');
    assert.equal(heard.notices.length, 1);
    assert.match(heard.notices[0], /^server: The server at localhost:\d+ transcribes, and gets what is said: .*SIMD/);
    assert.equal(heard.transcript.source, 'server');
    assert.equal(heard.transcript.segments[0].source, 'server');
    assert.equal(heard.transcript.durationS, 11);
    assert.deepEqual(heard.events, ['speechstart', 'final', 'speechend', 'end']);
    assert.match(heard.srt, /Said to the server\./);
    assert.equal(heard.fromSamples.durationS, 1);
    const [asked, second] = server.asked.splice(0);
    assert.equal(asked.headers.authorization, 'Bearer secret');
    assert.equal(asked.file.length, 44 + 2 * 11 * 16_000);
    assert.equal(second.file.length, 44 + 2 * 16_000);
    // The samples are those of the file.
    const { readFile } = await import('node:fs/promises');
    const { testdata } = await import('./support/place.mjs');
    const original = await readFile(testdata('jfk.wav'));
    assert.ok(original.subarray(-2_000).equals(asked.file.subarray(-2_000)));
  });

  test('sends what is said from pause to pause', async () => {
    const heard = await page.evaluate(async (url) => {
      const { Auricle } = /** @type {Package} */ (await import(/** @type {any} */ ('/auricle/index.js')));
      const auricle = await Auricle.load({ fallback: { url } });
      /** @type {any} */
      const scope = globalThis;
      const listening = await auricle.listen(scope.speakingTrack());
      const events = [];
      for await (const event of listening) {
        if (event.type !== 'level') events.push(event);
        if (event.type === 'speechend') void listening.stop();
      }
      return { events, transcript: await listening.finished };
    }, server.origin);
    assert.deepEqual(heard.events.map(({ type }) => type), ['speechstart', 'final', 'speechend', 'end']);
    assert.equal(heard.transcript.text, 'Said to the server.');
    assert.equal(heard.transcript.source, 'server');
    const [segment] = heard.transcript.segments;
    assert.equal(segment.endedBy, 'silence');
    assert.ok(segment.endS - segment.startS > 2.5 && segment.endS - segment.startS < 4, JSON.stringify(segment));
    const seconds = (server.asked.splice(0)[0].file.length - 44) / 32_000;
    assert.ok(Math.abs(seconds - (segment.endS - segment.startS)) < 0.01, String(seconds));
  });

  test('tells what the server answers instead', async () => {
    const results = [];
    for (const answer of [{ status: 503, body: 'busy' }, { body: 'no JSON' }]) {
      server.answers(answer);
      results.push(
        await page.evaluate(async (url) => {
          const { Auricle } = /** @type {Package} */ (await import(/** @type {any} */ ('/auricle/index.js')));
          const auricle = await Auricle.load({ fallback: { url } });
          const { name, code } = await auricle.transcribe(new Float32Array(16_000)).catch((error) => error);
          /** @type {any} */
          const scope = globalThis;
          const listening = await auricle.listen(scope.speakingTrack());
          const events = [];
          for await (const event of listening) {
            if (event.type === 'speechstart' || event.type === 'error') events.push(event.type);
          }
          const rejected = await listening.finished.catch((error) => error.code);
          return { name, code, events, rejected };
        }, server.origin),
      );
    }
    server.answers({});
    server.asked.splice(0);
    assert.deepEqual(results, [
      { name: 'ServerError', code: 'http-status', events: ['speechstart', 'error'], rejected: 'http-status' },
      { name: 'ServerError', code: 'malformed-answer', events: ['speechstart', 'error'], rejected: 'malformed-answer' },
    ]);
  });

  test('can be cancelled while the server is asked', async () => {
    const reason = await page.evaluate(async (url) => {
      const { Auricle } = /** @type {Package} */ (await import(/** @type {any} */ ('/auricle/index.js')));
      const auricle = await Auricle.load({ fallback: { url } });
      const controller = new AbortController();
      const transcribing = auricle.transcribe(new Float32Array(16_000), { signal: controller.signal });
      controller.abort('enough');
      return await transcribing.catch((error) => error);
    }, server.origin);
    server.asked.splice(0);
    assert.equal(reason, 'enough');
  });

  test('serves the Web Speech API too, unless the page wants it local', async () => {
    const heard = await page.evaluate(async (url) => {
      /** @type {Speech} */
      const { SpeechRecognition } = await import(/** @type {any} */ ('/auricle/speech-recognition.js'));
      /** @type {any} */
      const scope = globalThis;
      /** @param {boolean} processLocally */
      const listen = (processLocally) =>
        new Promise((resolve) => {
          const recognition = Object.assign(new SpeechRecognition(), { processLocally });
          /** @type {string[]} */
          const told = [];
          recognition.onresult = ({ results }) => told.push(results[0][0].transcript);
          recognition.onerror = ({ error }) => told.push(error);
          recognition.onend = () => resolve(told);
          recognition.start(scope.speakingTrack());
        });
      const local = { langs: ['en'], processLocally: true };
      const available = [await SpeechRecognition.available({ langs: ['en'] })];
      const refused = await listen(false);
      SpeechRecognition.configure({ fallback: { url } });
      available.push(await SpeechRecognition.available({ langs: ['en'] }), await SpeechRecognition.available(local));
      return { available, refused, helped: await listen(false), local: await listen(true) };
    }, server.origin);
    assert.deepEqual(heard, {
      available: ['unavailable', 'available', 'unavailable'],
      refused: ['service-not-allowed'],
      helped: ['Said to the server.'],
      local: ['service-not-allowed'],
    });
  });
});

test('a device that was measured to be too slow is refused, or helped', { skip }, async (t) => {
  const server = await serveTranscriptions();
  t.after(() => server.close());
  const site = await serveSite({}, { csp: `${STRICT_CSP} ${server.origin}` });
  t.after(() => site.close());
  const browser = await launch();
  t.after(() => browser.close());
  const { page } = await openPage(browser, site);
  const { code, message, source, fast } = await page.evaluate(async (url) => {
    const { Auricle } = /** @type {Package} */ (await import(/** @type {any} */ ('/auricle/index.js')));
    const rest = { flavour: /** @type {const} */ ('simd128'), compileMs: 1, loadMs: 1, memoryBytes: 1, elapsedMs: 1 };
    const calibration = { realTimeFactor: 3, ...rest };
    const { code, message } = await Auricle.load({ calibration }).catch((error) => error);
    const { source } = await Auricle.load({ calibration, fallback: { url } });
    // Measured now, since a server is named: this device can.
    const auricle = await Auricle.load({ fallback: { url } });
    auricle.close();
    return { code, message, source, fast: auricle.source };
  }, server.origin);
  assert.equal(code, 'too-slow');
  assert.match(message, /takes 3\.0 s/);
  assert.deepEqual([source, fast], ['server', 'device']);
  assert.equal(server.asked.length, 0);
});

/** The Web Speech API's face, in Chromium. */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { launch } from './support/chromium.mjs';
import { testdata, unless } from './support/place.mjs';
import { openPage, serveSite } from './support/site.mjs';

/**
 * @typedef {object} Told What a recognition gave, event by event.
 * @property {string} type
 * @property {number} [resultIndex]
 * @property {{ isFinal: boolean, transcript: string, confidence: number, length: number }[]} [results]
 * @property {string} [error]
 *
 * @typedef {typeof import('../dist/speech-recognition.js')} Module
 *
 * @typedef {object} Scope What `prepare` gives a page.
 * @property {Module} speech
 * @property {(recognition: any) => Promise<Told[]>} follow
 * @property {(url: string) => Promise<{ track: MediaStreamTrack, play: () => Promise<unknown> }>} playing
 */

const skip = unless('package', 'model', 'chromium');

/** Chromium lets audio run only after a click, unless told so. */
const flags = ['--autoplay-policy=no-user-gesture-required'];

const SAID = 'and so my fellow americans ask not what your country can do for you ask what you can do for your country';

/** @param {string} text */
const wordsOf = (text) => text.toLowerCase().replace(/[^a-z ]/g, '').split(' ').filter((word) => word !== '');

/**
 * How many of these words are in the recording: a busy computer loses some of what it plays to itself.
 *
 * @param {string} text
 */
function share(text) {
  const words = wordsOf(text);
  return words.filter((word) => SAID.split(' ').includes(word)).length / Math.max(words.length, 1);
}

/** What every page begins with: the module, and functions that follow a recognition and play a file into a track. */
async function prepare() {
  const speech = await import(/** @type {any} */ ('/auricle/speech-recognition.js'));
  const types = 'start audiostart soundstart speechstart result nomatch error speechend soundend audioend end'.split(' ');
  /** @type {any} */
  const scope = globalThis;
  scope.speech = speech;
  scope.follow = (/** @type {any} */ recognition) =>
    new Promise((resolve) => {
      /** @type {Told[]} */
      const told = [];
      for (const type of types) {
        recognition.addEventListener(type, (/** @type {any} */ event) => {
          const { resultIndex, results, error } = event;
          const list = results && Array.from(results, ({ isFinal, length, 0: { transcript, confidence } }) => {
            return { isFinal, length, transcript, confidence };
          });
          told.push({ type, resultIndex, results: list, error });
          if (type === 'end') resolve(told);
        });
      }
    });
  scope.playing = async (/** @type {string} */ url) => {
    const context = new AudioContext();
    const output = new MediaStreamAudioDestinationNode(context);
    const bytes = await (await fetch(url)).arrayBuffer();
    const source = new AudioBufferSourceNode(context, { buffer: await context.decodeAudioData(bytes) });
    source.connect(output);
    const ended = new Promise((resolve) => source.addEventListener('ended', resolve));
    const play = () => {
      source.start();
      return ended;
    };
    return { track: output.stream.getAudioTracks()[0], play };
  };
}

/** @param {Told[]} told */
const typesOf = (told) => told.map(({ type }) => type);

/**
 * Events without repetitions of `result`.
 *
 * @param {Told[]} told
 */
const order = (told) => typesOf(told).filter((type, index, types) => type !== 'result' || types[index - 1] !== 'result');

describe('a page that uses the Web Speech API', { skip }, () => {
  /** @type {import('playwright-core').Browser} */
  let browser;
  /** @type {import('../scripts/server.mjs').Served} */
  let site;
  /** @type {import('playwright-core').Page} */
  let page;
  /** @type {string[]} */
  let complaints;

  before(async () => {
    site = await serveSite();
    browser = await launch({ microphone: `${testdata('jfk.wav')}%noloop`, flags });
    ({ page, complaints } = await openPage(browser, site));
    await page.evaluate(prepare);
  });
  after(async () => {
    await browser?.close();
    await site?.close();
  });

  test('asks whether it is there, and installs it', async () => {
    const { asked, installed } = await page.evaluate(async () => {
      const { SpeechRecognition } = /** @type {Scope} */ (/** @type {unknown} */ (globalThis)).speech;
      const local = { processLocally: true };
      const asked = [
        await SpeechRecognition.available({ langs: ['en-US'], ...local }),
        await SpeechRecognition.available({ langs: ['en-US'] }),
        await SpeechRecognition.available({ langs: ['en', 'de'], ...local }),
        await SpeechRecognition.available({ langs: [] }),
        await SpeechRecognition.available({ langs: ['en'], quality: 'conversation' }),
        await SpeechRecognition.available({ langs: ['not a tag'] }).catch((error) => error.name),
        await SpeechRecognition.install({ langs: ['de'] }),
      ];
      const installing = SpeechRecognition.install({ langs: ['en-GB'] });
      asked.push(await SpeechRecognition.available({ langs: ['en'], ...local }));
      const installed = await installing;
      asked.push(await SpeechRecognition.available({ langs: ['en'], ...local }));
      return { asked, installed };
    });
    assert.equal(installed, true);
    assert.deepEqual(asked, [
      'downloadable',
      'available',
      'unavailable',
      'unavailable',
      'unavailable',
      'SyntaxError',
      false,
      'downloading',
      'available',
    ]);
  });

  test('hears one sentence from the microphone, and ends by itself', async () => {
    const told = await page.evaluate(async () => {
      const { speech, follow } = /** @type {Scope} */ (/** @type {unknown} */ (globalThis));
      const recognition = new speech.SpeechRecognition();
      const ended = follow(recognition);
      recognition.start();
      return await ended;
    });
    const first = ['start', 'audiostart', 'soundstart', 'speechstart'];
    assert.deepEqual(typesOf(told), [...first, 'result', 'speechend', 'soundend', 'audioend', 'end']);
    const { results, resultIndex } = /** @type {Told} */ (told.find(({ type }) => type === 'result'));
    assert.equal(resultIndex, 0);
    assert.equal(results?.length, 1);
    assert.equal(results[0].isFinal, true);
    assert.equal(results[0].length, 1);
    assert.ok(share(results[0].transcript) > 0.5, results[0].transcript);
    assert.ok(results[0].confidence > 0.3 && results[0].confidence <= 1, String(results[0].confidence));
  });

  test('hears all that a track says, with interim results', async () => {
    const told = await page.evaluate(async () => {
      const { speech, follow, playing } = /** @type {Scope} */ (/** @type {unknown} */ (globalThis));
      const recognition = new speech.SpeechRecognition();
      recognition.continuous = true;
      recognition.interimResults = true;
      recognition.lang = 'en-US';
      const ended = follow(recognition);
      const { track, play } = await playing('/testdata/jfk.wav');
      recognition.onaudiostart = () => play().then(() => recognition.stop());
      recognition.start(track);
      return await ended;
    });
    const between = ['start', 'audiostart', 'soundstart', 'speechstart', 'result'];
    assert.deepEqual(order(told), [...between, 'speechend', 'soundend', 'audioend', 'end']);

    const given = told.flatMap(({ results, resultIndex }) => (results ? [{ results, resultIndex }] : []));
    const interim = given.filter(({ results }) => !results[results.length - 1].isFinal);
    assert.ok(interim.length > 3, String(interim.length));
    let finals = 0;
    for (const { results, resultIndex } of given) {
      // Finals stay where they are; what has changed comes after them.
      assert.equal(resultIndex, finals);
      assert.ok(results.slice(0, finals).every(({ isFinal }) => isFinal));
      assert.equal(results.length, finals + 1);
      finals = results.filter(({ isFinal }) => isFinal).length;
    }
    const last = given[given.length - 1].results;
    const text = last.map(({ transcript }) => transcript).join('');
    assert.ok(share(text) > 0.7 && wordsOf(text).length > 15, text);
  });

  test('stops without speech, and there is no match', async () => {
    const told = await page.evaluate(async () => {
      const { speech, follow } = /** @type {Scope} */ (/** @type {unknown} */ (globalThis));
      const recognition = new speech.SpeechRecognition();
      const ended = follow(recognition);
      recognition.addEventListener('audiostart', () => recognition.stop());
      const silence = new MediaStreamAudioDestinationNode(new AudioContext());
      recognition.start(silence.stream.getAudioTracks()[0]);
      return await ended;
    });
    assert.deepEqual(typesOf(told), ['start', 'audiostart', 'audioend', 'nomatch', 'end']);
  });

  test('is told where nobody speaks', async () => {
    const told = await page.evaluate(async () => {
      const { speech, follow } = /** @type {Scope} */ (/** @type {unknown} */ (globalThis));
      speech.SpeechRecognition.configure({ noSpeechTimeoutMs: 300 });
      const recognition = new speech.SpeechRecognition();
      const ended = follow(recognition);
      const silence = new MediaStreamAudioDestinationNode(new AudioContext());
      recognition.start(silence.stream.getAudioTracks()[0]);
      const told = await ended;
      speech.SpeechRecognition.configure({});
      return told;
    });
    assert.deepEqual(typesOf(told), ['start', 'audiostart', 'audioend', 'error', 'end']);
    assert.equal(told[3].error, 'no-speech');
  });

  test('aborts while it listens, and before it does', async () => {
    const [during, early] = await page.evaluate(async () => {
      const { speech, follow, playing } = /** @type {Scope} */ (/** @type {unknown} */ (globalThis));
      const recognition = new speech.SpeechRecognition();
      recognition.onspeechstart = () => recognition.abort();
      const ended = follow(recognition);
      const { track, play } = await playing('/testdata/jfk.wav');
      recognition.onaudiostart = play;
      recognition.start(track);
      const during = await ended;
      const again = new speech.SpeechRecognition();
      const neverHeard = follow(again);
      again.start();
      again.abort();
      return [during, await neverHeard];
    });
    const begun = ['start', 'audiostart', 'soundstart', 'speechstart'];
    assert.deepEqual(typesOf(during), [...begun, 'speechend', 'soundend', 'audioend', 'error', 'end']);
    assert.deepEqual(typesOf(early), ['error', 'end']);
    assert.deepEqual([during, early].map((told) => told.find(({ error }) => error)?.error), ['aborted', 'aborted']);
  });

  test('stops before it listens, and hears nothing more', async () => {
    const told = await page.evaluate(async () => {
      const { speech, follow } = /** @type {Scope} */ (/** @type {unknown} */ (globalThis));
      const recognition = new speech.SpeechRecognition();
      const ended = follow(recognition);
      recognition.start();
      recognition.stop();
      recognition.stop();
      return await ended;
    });
    assert.deepEqual(typesOf(told), ['end']);
  });

  test('cannot be started twice, nor with what is no live audio', async () => {
    const names = await page.evaluate(async () => {
      const { speech, follow } = /** @type {Scope} */ (/** @type {unknown} */ (globalThis));
      const recognition = new speech.SpeechRecognition();
      /** @param {unknown[]} given */
      const failure = (...given) => {
        try {
          recognition.start(.../** @type {[]} */ (given));
          return 'none';
        } catch (error) {
          return /** @type {Error} */ (error).name;
        }
      };
      const video = document.createElement('canvas').captureStream().getTracks()[0];
      const over = new MediaStreamAudioDestinationNode(new AudioContext()).stream.getTracks()[0];
      over.stop();
      const names = [failure(video), failure(over), failure({}), failure(undefined), failure(undefined)];
      const ended = follow(recognition);
      recognition.abort();
      await ended;
      names.push(failure(undefined));
      const endedAgain = follow(recognition);
      recognition.abort();
      await endedAgain;
      return names;
    });
    assert.deepEqual(names, ['InvalidStateError', 'InvalidStateError', 'TypeError', 'none', 'InvalidStateError', 'none']);
  });

  test('is told what is not supported', async () => {
    const codes = await page.evaluate(async () => {
      const { speech, follow } = /** @type {Scope} */ (/** @type {unknown} */ (globalThis));
      /** @type {(string | undefined)[]} */
      const codes = [];
      for (const lang of ['de', 'en']) {
        const recognition = new speech.SpeechRecognition();
        recognition.lang = lang;
        recognition.phrases = lang === 'en' ? [new speech.SpeechRecognitionPhrase('Auricle', 2)] : [];
        const ended = follow(recognition);
        recognition.start();
        codes.push(...(await ended).map(({ type, error }) => error ?? type));
      }
      return codes;
    });
    assert.deepEqual(codes, ['language-not-supported', 'end', 'phrases-not-supported', 'end']);
  });

  test('has handlers like any other, and the names of old', async () => {
    const told = await page.evaluate(async () => {
      const { speech } = /** @type {Scope} */ (/** @type {unknown} */ (globalThis));
      /** @type {any} */
      const globals = Object.assign(globalThis, speech);
      const recognition = new globals.webkitSpeechRecognition();
      const grammars = new globals.webkitSpeechGrammarList();
      grammars.addFromString('#JSGF V1.0;', 1);
      recognition.grammars = grammars;
      /** @type {unknown[]} */
      const told = [grammars.length, grammars[0].weight, recognition.onend];
      recognition.onend = () => told.push('replaced');
      recognition.onend = 'no function';
      told.push(recognition.onend);
      await new Promise((resolve) => {
        recognition.addEventListener('end', () => told.push('listener'));
        recognition.onend = function () {
          told.push(this === recognition);
          resolve(undefined);
        };
        recognition.start();
        recognition.stop();
      });
      return told;
    });
    assert.deepEqual(told, [1, 1, null, null, 'listener', true]);
  });

  test('complains of nothing', () => assert.deepEqual(complaints, []));
});

test('a page that may not hear is told', { skip }, async (t) => {
  const site = await serveSite({}, { headers: { 'permissions-policy': 'microphone=()' } });
  t.after(() => site.close());
  const browser = await launch({ microphone: testdata('jfk.wav') });
  t.after(() => browser.close());
  const { page } = await openPage(browser, site);
  await page.evaluate(prepare);
  const told = await page.evaluate(async () => {
    const { speech, follow } = /** @type {Scope} */ (/** @type {unknown} */ (globalThis));
    const recognition = new speech.SpeechRecognition();
    const ended = follow(recognition);
    recognition.start();
    return await ended;
  });
  assert.deepEqual(typesOf(told), ['error', 'end']);
  assert.equal(told[0].error, 'not-allowed');
});

test('a page whose model cannot be got is told, and may try again', { skip }, async (t) => {
  const site = await serveSite();
  t.after(() => site.close());
  const browser = await launch({ flags });
  t.after(() => browser.close());
  const { page } = await openPage(browser, site);
  await page.evaluate(prepare);
  const codes = await page.evaluate(async () => {
    const { speech, follow } = /** @type {Scope} */ (/** @type {unknown} */ (globalThis));
    const recognition = new speech.SpeechRecognition();
    const listen = async () => {
      const ended = follow(recognition);
      recognition.addEventListener('audiostart', () => recognition.abort());
      const silence = new MediaStreamAudioDestinationNode(new AudioContext());
      recognition.start(silence.stream.getAudioTracks()[0]);
      return (await ended).flatMap(({ type, error }) => (type === 'error' ? [error] : []));
    };
    speech.SpeechRecognition.configure({ modelsUrl: '/nowhere/' });
    const codes = await listen();
    speech.SpeechRecognition.configure({});
    return [...codes, ...(await listen())];
  });
  assert.deepEqual(codes, ['network', 'aborted']);
});

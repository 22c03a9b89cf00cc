/** What the Web Speech API's face makes of what is heard, in Node. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Auricle } from '../dist/auricle.js';
import { Run } from '../dist/speech-recognition/run.js';

/**
 * A recognition that hears this: its `result` and `nomatch`.
 *
 * @param {import('node:test').TestContext} t
 * @param {[type: 'partial' | 'final', text: string][]} said
 */
async function recognized(t, said) {
  const listen = async (/** @type {any} */ { onEvent }) => {
    for (const [type, text] of said) onEvent({ type, segment: { text, tokens: [], source: 'device' } });
    return { finished: Promise.resolve() };
  };
  const auricle = /** @type {any} */ ({ source: 'device', model: { languages: ['en'] }, listen });
  t.mock.method(Auricle, 'load', async () => auricle);
  const common = { track: undefined, lang: undefined, processLocally: false, hasPhrases: false };
  /** @type {{ type: string, resultIndex: number, results: string[] }[]} */
  const given = [];
  await new Promise((resolve) => {
    new Run({ ...common, continuous: true, interimResults: true }, (event) => {
      const { type, resultIndex, results } = /** @type {import('../dist/speech-recognition.js').SpeechRecognitionEvent} */ (event);
      if (type === 'end') resolve(undefined);
      if (results === undefined) return;
      const told = Array.from(results, ({ isFinal, 0: { transcript } }) => `${isFinal ? 'final' : 'interim'}:${transcript}`);
      given.push({ type, resultIndex, results: told });
    });
  });
  return given;
}

test('an interim result that is taken back becomes an empty one, and there is no match', async (t) => {
  const given = await recognized(t, [
    ['partial', 'Go'],
    ['final', 'Go on.'],
    ['partial', 'Hm'],
    ['final', ''],
  ]);
  assert.deepEqual(given, [
    { type: 'result', resultIndex: 0, results: ['interim:Go'] },
    { type: 'result', resultIndex: 0, results: ['final:Go on.'] },
    { type: 'result', resultIndex: 1, results: ['final:Go on.', 'interim: Hm'] },
    { type: 'result', resultIndex: 1, results: ['final:Go on.', 'interim:'] },
    { type: 'nomatch', resultIndex: 1, results: ['final:Go on.'] },
  ]);
});

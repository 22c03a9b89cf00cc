/** A stream over an engine that is made up here: how audio is fed, kept, heard again and refused. */

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { DIST, unless } from './support/place.mjs';

const skip = unless('package');
const { Stream } = skip ? /** @type {any} */ ({}) : await import('../dist/worker/stream.js');
if (!skip) {
  const { default: startShim } = await import('../dist/shim/auricle_shim.js');
  await startShim({ module_or_path: await readFile(join(DIST, 'shim/auricle_shim_bg.wasm')) });
}

const SECOND = 16_000;

/** An engine that says what it is told to say, and takes at most a minute. */
class Engine {
  /** All sessions that were opened. */
  sessions = /** @type {Session[]} */ ([]);
  released = 0;
  isLost = false;

  options() {
    return { partials: 'eager', endpointing: { minimumSilence: 8_000 } };
  }

  open() {
    const session = new Session();
    this.sessions.push(session);
    this.isLost = false;
    return session;
  }

  /** @param {Session} session */
  has(session) {
    return session === this.sessions.at(-1) && !this.isLost;
  }

  release() {
    this.released += 1;
  }
}

class Session {
  pushed = 0;
  /** Samples that were listened to. */
  heard = 0;
  finished = false;
  partials = '';
  /** @type {unknown[]} What the next poll gives. */
  events = [];
  /** @type {unknown} What the next poll fails with. */
  fault;

  /** @param {Float32Array} samples */
  pushAudio(samples) {
    if (this.pushed - this.heard + samples.length > 60 * SECOND) {
      throw { tag: 'buffer-full', val: {} };
    }
    this.pushed += samples.length;
  }

  finish() {
    this.finished = true;
  }

  pollTranscript() {
    if (this.fault !== undefined) {
      throw this.fault;
    }
    return { events: this.events.splice(0), steps: 1, more: false };
  }

  metrics() {
    return { audioSamples: BigInt(this.pushed), bufferedSamples: this.pushed - this.heard };
  }

  /** @param {string} partials */
  setPartials(partials) {
    this.partials = partials;
  }
}

/** @param {'live' | 'recording'} kind */
function open(kind) {
  const engine = new Engine();
  /** @type {any[]} */
  const events = [];
  const listener = { onEvent: (/** @type {any} */ event) => events.push(event), onMeasured() {} };
  const stream = new Stream(engine, {}, kind, listener);
  const codes = () => events.flatMap(({ notice }) => (notice === undefined ? [] : [notice.code]));
  return { engine, stream, events, codes };
}

/** @param {number} start @param {number} end */
function segment(start, end) {
  const span = { start: BigInt(start), end: BigInt(end) };
  return { id: 0n, revision: 0, span, text: 'so', words: [], settledWords: 0, settledChanged: false, tokens: [], guards: {} };
}

test('a recording is fed as there is room, and ended when all of it is in', { skip }, () => {
  const { engine, stream } = open('recording');
  const [session] = engine.sessions;
  stream.append(new Float32Array(150 * SECOND));
  stream.finish();
  stream.turn();
  assert.deepEqual([session.pushed, session.finished, stream.hasWork], [60 * SECOND, false, true]);
  session.heard = 60 * SECOND;
  stream.turn();
  assert.deepEqual([session.pushed, session.finished, stream.heardSamples], [120 * SECOND, false, 60 * SECOND]);
  session.heard = 150 * SECOND;
  stream.turn();
  assert.deepEqual([session.pushed, session.finished, stream.hasWork], [150 * SECOND, true, false]);
});

test('live audio waits for five minutes and no longer, and that is told on the way', { skip }, () => {
  const { engine, stream, codes } = open('live');
  for (let second = 0; second < 5; second += 1) {
    stream.append(new Float32Array(SECOND));
    stream.turn();
  }
  assert.deepEqual(codes(), ['behind']);
  for (let second = 5; second <= 300; second += 1) {
    stream.append(new Float32Array(SECOND));
  }
  assert.throws(
    () => stream.append(new Float32Array(SECOND)),
    ({ name, code, details }) => name === 'AudioError' && code === 'too-far-behind' && details.fromS === 301,
  );
  // Everything until then is heard.
  stream.finish();
  const [session] = engine.sessions;
  while (session.pushed < 301 * SECOND) {
    session.heard = session.pushed;
    stream.turn();
  }
  session.heard = session.pushed;
  session.events.push({ tag: 'end-of-stream', val: BigInt(session.pushed) });
  stream.turn();
  assert.deepEqual([codes(), session.finished, stream.isEnded], [['behind', 'caught-up'], true, true]);
  assert.equal(stream.transcript().durationS, 301);
});

test('in silence three seconds are heard again, in speech all since the last final', { skip }, () => {
  const { engine, stream, events } = open('live');
  const hear = (/** @type {number} */ seconds, /** @type {unknown[]} */ ...happened) => {
    const session = /** @type {Session} */ (engine.sessions.at(-1));
    for (let second = 0; second < seconds; second += 1) {
      stream.append(new Float32Array(SECOND));
      session.heard = session.pushed + SECOND;
      session.events.push(...(second === seconds - 1 ? happened : []));
      stream.turn();
    }
  };
  /** The instance is lost: what the next one is fed. */
  const again = () => {
    engine.sessions[engine.sessions.length - 1].fault = new WebAssembly.RuntimeError('unreachable');
    stream.append(new Float32Array(1));
    assert.throws(() => stream.turn(), { name: 'Trap' });
    engine.isLost = true;
    stream.instanceLost();
    stream.turn();
    return engine.sessions.at(-1)?.pushed;
  };
  hear(10);
  assert.equal(again(), 3 * SECOND + 1);
  // The second session began 7 s into the stream.
  hear(1, { tag: 'speech-started', val: BigInt(3 * SECOND) });
  hear(5, { tag: 'partial-segment', val: segment(3 * SECOND, 9 * SECOND) });
  assert.equal(again(), 9 * SECOND + 2, 'from the beginning of what is kept: somebody speaks');
  hear(2, { tag: 'final-segment', val: segment(3 * SECOND, 8 * SECOND) }, { tag: 'speech-ended', val: BigInt(8 * SECOND) });
  const starts = events.filter(({ type }) => type === 'speechstart').map(({ timeS }) => timeS);
  const finals = events.filter(({ type }) => type === 'final').map(({ segment }) => [segment.id, segment.revision, segment.endS]);
  assert.deepEqual([starts, finals], [[10], [[0, 1, 15]]]);
  assert.equal(again(), 3 * SECOND + 2, 'what is final is not heard again');
});

test('an engine that promises work and does none is refused', { skip }, () => {
  const { engine, stream } = open('live');
  engine.sessions[0].pollTranscript = () => ({ events: [], steps: 0, more: true });
  assert.throws(() => stream.turn(), ({ name, code }) => name === 'EngineError' && code === 'internal');
});

test('partials become economical where they were eager, in the next session too', { skip }, () => {
  const { engine, stream, codes } = open('live');
  stream.setEconomy(true);
  stream.setEconomy(true);
  engine.isLost = true;
  stream.instanceLost();
  stream.turn();
  assert.deepEqual(engine.sessions.map(({ partials }) => partials), ['economical', 'economical']);
  stream.setEconomy(false);
  assert.deepEqual([engine.sessions[1].partials, codes()], ['eager', ['economical', 'eager']]);
  stream.close();
  assert.equal(engine.released, 1);
});

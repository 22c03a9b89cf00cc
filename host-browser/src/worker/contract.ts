/** The contract's data as the page has it, and back. No other file knows both. */

import type * as Contract from '../engine/interfaces/auricle-speech-types.js';
import { AudioError, AuricleError, EngineError, ModelError } from '../errors.js';
import type { SessionSettings } from '../protocol.js';
import {
  SAMPLE_RATE_HZ,
  type Endpointing,
  type Guard,
  type Segment,
  type TranscriptEvent,
  type Word,
} from '../types.js';

const SAMPLES_PER_MS = SAMPLE_RATE_HZ / 1_000;

/** What ends a segment of a recording: a sentence that is cut at a pause for breath is less well understood. */
const RECORDING_MINIMUM_SILENCE_SAMPLES = 24_000;

/** The field's name in the contract and on the page. */
const OPTION_NAMES: Record<string, string> = {
  'word-times': 'wordTimes',
  'endpointing.voice-activity': 'endpointing.voiceActivity',
  'endpointing.minimum-silence': 'endpointing.minimumSilenceMs',
  'endpointing.minimum-speech': 'endpointing.minimumSpeechMs',
  'endpointing.longest-segment': 'endpointing.longestSegmentMs',
};

/** Something went wrong that leaves the instance unusable: a trap, or a fault of its own. */
export class Trap extends Error {
  override readonly name = 'Trap';
}

/** No room for a block until the session was polled. */
export class BufferFull extends Error {
  override readonly name = 'BufferFull';
}

/**
 * Calls the component. Its errors come out as Auricle's, or as `BufferFull`; everything else that is thrown is a trap: the
 * instance must not be used again.
 */
export function call<Value>(work: () => Value): Value {
  try {
    return work();
  } catch (thrown) {
    throw contractError(thrown) ?? new Trap(String(thrown), { cause: thrown });
  }
}

function contractError(thrown: unknown): Error | undefined {
  // jco throws the error itself or, from some functions, an object that has it as payload.
  const candidate = (thrown as { payload?: unknown } | null)?.payload ?? thrown;
  if (typeof candidate !== 'object' || candidate === null || !('tag' in candidate) || !('val' in candidate)) {
    return undefined;
  }
  const error = candidate as Contract.Error;
  switch (error.tag) {
    case 'malformed-model':
      return new ModelError(
        'malformed-model',
        `The model file is damaged at byte ${error.val.offset}: ${error.val.message}. Delete it and load it again.`,
        { offset: Number(error.val.offset) },
      );
    case 'unsupported-model':
      return new ModelError('unsupported-model', `This version of Auricle cannot run the model: ${error.val}.`);
    case 'incomplete-model':
      return new ModelError(
        'incomplete-model',
        `The model file ends after ${error.val.receivedBytes} bytes, and should not. Load it again.`,
        { receivedBytes: Number(error.val.receivedBytes) },
      );
    case 'limit-exceeded': {
      const { limit, message } = error.val;
      const [allowed, requested] = [Number(error.val.allowed), Number(error.val.requested)];
      const details = { limit, allowed, requested };
      const text = `${message}: ${requested}, and ${allowed} is the most.`;
      return limit === 'utterance-samples' || limit === 'block-samples'
        ? new AudioError('limit-exceeded', `The audio is too long for one segment, ${text} Let it be cut: endpointing.`, details)
        : new ModelError('limit-exceeded', `Too large, ${text}`, details);
    }
    case 'invalid-audio':
      return new AudioError('invalid-audio', `Sample ${error.val.index} ${error.val.message}.`, { index: error.val.index });
    case 'buffer-full':
      return new BufferFull();
    case 'invalid-option':
    case 'unsupported-option': {
      const option = OPTION_NAMES[error.val.name] ?? error.val.name;
      return new EngineError(error.tag, `${option}: ${error.val.message}.`, { option });
    }
    case 'invalid-state':
      return new EngineError('invalid-state', error.val);
    case 'internal':
      // The instance is to be dropped, as after a trap.
      return undefined;
  }
}

/** The contract's options of a session. */
export function contractOptions(
  defaults: Contract.SessionOptions,
  settings: SessionSettings,
  kind: 'live' | 'recording',
): Contract.SessionOptions {
  const options: Contract.SessionOptions = { ...defaults, wordTimes: settings.wordTimes, partials: settings.partials };
  if (settings.language !== undefined) {
    options.language = settings.language;
  }
  if (settings.endpointing === null) {
    delete options.endpointing;
  } else if (defaults.endpointing !== undefined) {
    const endpointing = { ...defaults.endpointing };
    if (kind === 'recording') {
      endpointing.minimumSilence = Math.max(endpointing.minimumSilence, RECORDING_MINIMUM_SILENCE_SAMPLES);
    }
    options.endpointing = changed(endpointing, settings.endpointing);
  }
  return options;
}

function changed(endpointing: Contract.Endpointing, changes: Partial<Endpointing>): Contract.Endpointing {
  const { voiceActivity, minimumSilenceMs, minimumSpeechMs, longestSegmentMs } = changes;
  const samples = (ms: number | undefined, otherwise: number): number =>
    ms === undefined ? otherwise : Math.round(ms * SAMPLES_PER_MS);
  return {
    voiceActivity: voiceActivity ?? endpointing.voiceActivity,
    minimumSilence: samples(minimumSilenceMs, endpointing.minimumSilence),
    minimumSpeech: samples(minimumSpeechMs, endpointing.minimumSpeech),
    longestSegment: samples(longestSegmentMs, endpointing.longestSegment),
  };
}

/** Seconds at a position. */
export function secondsOf(samples: number): number {
  return samples / SAMPLE_RATE_HZ;
}

/** An event of the contract, its positions moved by so many samples and its segment by so many ids. */
export type EngineEvent =
  | { type: 'speechstart' | 'speechend' | 'end'; sample: number }
  | { type: 'partial' | 'final'; segment: Segment };

export function engineEvent(event: Contract.Event, moveSamples: number, moveIds: number): EngineEvent {
  switch (event.tag) {
    case 'speech-started':
      return { type: 'speechstart', sample: Number(event.val) + moveSamples };
    case 'speech-ended':
      return { type: 'speechend', sample: Number(event.val) + moveSamples };
    case 'end-of-stream':
      return { type: 'end', sample: Number(event.val) + moveSamples };
    case 'partial-segment':
      return { type: 'partial', segment: segmentOf(event.val, moveSamples, moveIds) };
    case 'final-segment':
      return { type: 'final', segment: segmentOf(event.val, moveSamples, moveIds) };
  }
}

function segmentOf(segment: Contract.Segment, moveSamples: number, moveIds: number): Segment {
  const startSample = Number(segment.span.start) + moveSamples;
  const endSample = Number(segment.span.end) + moveSamples;
  return {
    id: Number(segment.id) + moveIds,
    revision: segment.revision,
    startSample,
    endSample,
    startS: secondsOf(startSample),
    endS: secondsOf(endSample),
    text: segment.text,
    words: segment.words.map((word) => wordOf(word, moveSamples)),
    settledWords: segment.settledWords,
    settledChanged: segment.settledChanged,
    tokens: segment.tokens.map(({ id, logProbability, entropy }) => ({ id, logProbability, entropy })),
    ...(segment.language === undefined ? {} : { language: segment.language }),
    ...(segment.noSpeechProbability === undefined ? {} : { noSpeechProbability: segment.noSpeechProbability }),
    guards: guardsOf(segment.guards),
    ...(segment.endedBy === undefined ? {} : { endedBy: segment.endedBy }),
    source: 'device',
  };
}

function wordOf({ text, span, confidence }: Contract.Word, moveSamples: number): Word {
  if (span === undefined) {
    return { text, confidence };
  }
  const startSample = Number(span.start) + moveSamples;
  const endSample = Number(span.end) + moveSamples;
  return { text, startSample, endSample, startS: secondsOf(startSample), endS: secondsOf(endSample), confidence };
}

function guardsOf({ tokenRate, repetition, noSpeech }: Contract.Guards): Guard[] {
  const guards: [boolean | undefined, Guard][] = [
    [tokenRate, 'token-rate'],
    [repetition, 'repetition'],
    [noSpeech, 'no-speech'],
  ];
  return guards.flatMap(([is, guard]) => (is ? [guard] : []));
}

/** What is told of a failure that no error of the contract stands for. */
export function trappedError(cause: unknown): AuricleError {
  return new EngineError(
    'trapped',
    `The engine failed again and again on the same audio (${String((cause as Error).message)}): report it, with the audio if you can.`,
  );
}

/** An event without anything of its own to say. */
export type PlainEvent = Extract<TranscriptEvent, { type: 'speechstart' | 'speechend' }>;

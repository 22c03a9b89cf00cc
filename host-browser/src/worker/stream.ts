/** One stream of audio and its events, whatever becomes of the instance that works on it. */

import type * as Contract from '../engine/interfaces/auricle-speech-types.js';
import { AudioError, EngineError } from '../errors.js';
import type { SessionSettings } from '../protocol.js';
import { SAMPLE_RATE_HZ, type Notice, type Partials, type Segment, type Transcript, type TranscriptEvent } from '../types.js';
import { compressionRatio } from '../shim/auricle_shim.js';
import { Continuity } from './continuity.js';
import { BufferFull, call, secondsOf, type EngineEvent } from './contract.js';
import type { EngineSession } from './engine.js';
import type { Host } from './host.js';
import { Tape } from './tape.js';
import { Arrivals, RealTimeFactor } from './timing.js';

/** Steps between two turns: some milliseconds, so that audio and messages wait no longer. */
const STEPS = 4;

/** Audio goes into the engine in blocks of at most a second. */
const BLOCK_SAMPLES = SAMPLE_RATE_HZ;

/** While nobody speaks, so much is kept to hear again: speech is found some time after it has begun. */
const LOOK_BACK_SAMPLES = 3 * SAMPLE_RATE_HZ;

/** More than this waits: the device is behind; less than the second: it has caught up. */
const BEHIND_SAMPLES = 4 * SAMPLE_RATE_HZ;
const CAUGHT_UP_SAMPLES = SAMPLE_RATE_HZ / 2;

/** The most live audio that waits: five minutes, of which the engine holds one. */
const WAITING_SAMPLES_MAX = 300 * SAMPLE_RATE_HZ;

/** Told what happens in a stream. */
export interface StreamListener {
  onEvent(event: Exclude<TranscriptEvent, { type: 'error' }>): void;
  onMeasured(name: 'first-partial' | 'final-latency' | 'real-time-factor', value: number, unit: 'ms' | '1'): void;
}

/** Takes audio, works on it turn by turn, and tells what it says. */
export class Stream {
  readonly kind: 'live' | 'recording';
  /** Traps since the last final. */
  traps = 0;
  readonly arrivals = new Arrivals();
  #continuity = new Continuity();
  #tape = new Tape();
  #session: EngineSession | undefined;
  #options: Contract.SessionOptions;
  /** The next sample that the engine gets. */
  #fed = 0;
  #hasAllAudio = false;
  #toldEnd = false;
  #heard = 0;
  #factor = new RealTimeFactor();
  #speechStart: number | undefined;
  #isBehind = false;
  #isEconomical = false;
  #segments: Segment[] = [];
  /** Whether the last poll left work that needs no more audio. */
  #more = true;

  constructor(
    private readonly host: Host,
    settings: SessionSettings,
    kind: 'live' | 'recording',
    private readonly listener: StreamListener,
  ) {
    this.kind = kind;
    this.#options = host.options(settings, kind);
    // What is wrong with the options is told now.
    this.#session = host.open(this.#options);
  }

  /** Takes the next samples, unless all have come. Fails where so much live audio waits that there is no room for more. */
  append(samples: Float32Array): void {
    if (this.#hasAllAudio) {
      return;
    }
    if (this.kind === 'live' && this.#tape.end - this.#heard > WAITING_SAMPLES_MAX) {
      throw tooFarBehind(secondsOf(this.#tape.end));
    }
    this.#tape.append(samples);
  }

  /** No more audio comes. */
  finish(): void {
    this.#hasAllAudio = true;
  }

  /** Whether a turn would do anything. */
  get hasWork(): boolean {
    return !this.#continuity.isEnded && (this.#more || this.#fed < this.#tape.end || this.#hasAllAudio !== this.#toldEnd);
  }

  /** Whether all events were given. */
  get isEnded(): boolean {
    return this.#continuity.isEnded;
  }

  /** Samples that the engine has listened to, and those that came. */
  get heardSamples(): number {
    return this.#heard;
  }

  get receivedSamples(): number {
    return this.#tape.end;
  }

  /** All that was said, as far as it is final. */
  transcript(): Transcript {
    const segments = this.#segments;
    const language = segments.find((segment) => segment.language !== undefined)?.language;
    return {
      text: segments.flatMap(({ text }) => (text === '' ? [] : [text])).join(' '),
      segments,
      ...(language === undefined ? {} : { language }),
      durationS: secondsOf(this.#tape.end),
      source: 'device',
    };
  }

  /** Whether eager partials are to be economical. */
  setEconomy(on: boolean): void {
    if (this.#options.partials !== 'eager' || on === this.#isEconomical) {
      return;
    }
    this.#isEconomical = on;
    this.#setPartials();
    const message = on
      ? 'The page is hidden or the battery is low: text that is still being spoken comes less often.'
      : 'Text that is still being spoken comes often again.';
    this.notice({ code: on ? 'economical' : 'eager', message });
  }

  /** The session, unless its instance was lost. */
  get #present(): EngineSession | undefined {
    return this.#session !== undefined && this.host.has(this.#session) ? this.#session : undefined;
  }

  #setPartials(): void {
    const partials: Partials = this.#isEconomical ? 'economical' : this.#options.partials;
    const session = this.#present;
    if (session !== undefined) {
      call(() => session.setPartials(partials));
    }
  }

  notice(notice: Notice): void {
    this.listener.onEvent({ type: 'notice', notice });
  }

  /** Does some milliseconds of work. Throws `Trap` where the instance is lost, and what the audio or the model fails with. */
  turn(): void {
    const began = performance.now();
    const session = this.#present ?? this.#reopen();
    this.#feed(session);
    const poll = call(() => session.pollTranscript(STEPS));
    if (poll.more && poll.steps === 0 && poll.events.length === 0) {
      // It would be polled for ever.
      throw new EngineError('internal', 'The engine says that there is work left, and does none: report it.');
    }
    this.#more = poll.more;
    const heard = call(() => session.metrics());
    this.#heard = this.#continuity.sessionStart + Number(heard.audioSamples) - heard.bufferedSamples;
    const events = poll.events.flatMap((event) => this.#continuity.take(event) ?? []);
    const now = performance.now();
    this.#factor.spent(now - began);
    events.forEach((event, index) => this.#tell(event, events[index + 1], now));
    this.#forget();
    this.#watchLag();
  }

  /** The instance is lost: the unfinished segment will be heard again, in a session of the next one. */
  instanceLost(): void {
    this.#more = true;
  }

  /** Lets go of the session. */
  close(): void {
    if (this.#session !== undefined) {
      const session = this.#session;
      this.#session = undefined;
      this.host.release(session);
    }
  }

  #reopen(): EngineSession {
    const session = this.host.open(this.#options);
    this.#session = session;
    const start = Math.max(this.#continuity.finalEnd, this.#tape.start);
    this.#continuity.restart(start);
    this.#fed = start;
    this.#heard = start;
    this.#toldEnd = false;
    this.#setPartials();
    return session;
  }

  #feed(session: EngineSession): void {
    while (this.#fed < this.#tape.end) {
      const block = this.#tape.read(this.#fed, BLOCK_SAMPLES);
      try {
        call(() => session.pushAudio(block));
      } catch (error) {
        if (error instanceof BufferFull) {
          return;
        }
        throw error;
      }
      this.#fed += block.length;
    }
    if (this.#hasAllAudio && !this.#toldEnd) {
      call(() => session.finish());
      this.#toldEnd = true;
    }
  }

  #tell(event: EngineEvent, next: EngineEvent | undefined, now: number): void {
    switch (event.type) {
      case 'speechstart':
        this.#speechStart = event.sample;
        this.listener.onEvent({ type: event.type, sample: event.sample, timeS: secondsOf(event.sample) });
        return;
      case 'partial':
        this.#tellPartial(event.segment, now);
        return;
      case 'final':
        this.#tellFinal(event.segment, next, now);
        return;
      case 'speechend':
        this.listener.onEvent({ type: event.type, sample: event.sample, timeS: secondsOf(event.sample) });
        return;
      case 'end':
        this.listener.onEvent({ type: 'end', durationS: secondsOf(event.sample) });
    }
  }

  #tellPartial(segment: Segment, now: number): void {
    const latencyMs = this.#sinceMs(segment.endSample, now);
    if (this.#speechStart !== undefined) {
      const sinceMs = this.#sinceMs(this.#speechStart, now);
      if (sinceMs !== undefined) {
        this.listener.onMeasured('first-partial', sinceMs, 'ms');
      }
      this.#speechStart = undefined;
    }
    this.listener.onEvent({ type: 'partial', segment, ...(latencyMs === undefined ? {} : { latencyMs }) });
  }

  #tellFinal(segment: Segment, next: EngineEvent | undefined, now: number): void {
    this.traps = 0;
    this.#speechStart = undefined;
    if (segment.text !== '') {
      // Of the text as files have it, which begins with a space.
      segment.compressionRatio = compressionRatio(` ${segment.text}`);
    }
    this.#segments.push(segment);
    const silence = this.#options.endpointing?.minimumSilence;
    let latencyMs: number | undefined;
    if (segment.endedBy === 'silence' && next?.type === 'speechend' && silence !== undefined) {
      latencyMs = this.#sinceMs(next.sample + silence, now);
    }
    const realTimeFactor = this.#factor.atFinal(this.#heard);
    this.listener.onEvent({ type: 'final', segment, ...(latencyMs === undefined ? {} : { latencyMs }), realTimeFactor });
    if (latencyMs !== undefined) {
      this.listener.onMeasured('final-latency', latencyMs, 'ms');
    }
    this.listener.onMeasured('real-time-factor', realTimeFactor, '1');
  }

  #sinceMs(sample: number, now: number): number | undefined {
    return this.kind === 'live' ? this.arrivals.sinceMs(sample, now) : undefined;
  }

  /** What would not be heard again is not kept. */
  #forget(): void {
    if (this.kind === 'live') {
      const silent = this.#continuity.isSpeaking ? 0 : this.#heard - LOOK_BACK_SAMPLES;
      this.#tape.forgetBefore(Math.min(this.#fed, Math.max(this.#continuity.finalEnd, silent)));
    }
  }

  #watchLag(): void {
    if (this.kind !== 'live') {
      return;
    }
    const waiting = this.#tape.end - this.#heard;
    if (!this.#isBehind && waiting > BEHIND_SAMPLES && !this.#hasAllAudio) {
      this.#isBehind = true;
      const message = `The device is slower than the speech: ${secondsOf(waiting).toFixed(1)} s wait. Nothing is lost.`;
      this.notice({ code: 'behind', message });
    } else if (this.#isBehind && waiting < CAUGHT_UP_SAMPLES) {
      this.#isBehind = false;
      this.notice({ code: 'caught-up', message: 'The device has caught up with the speech.' });
    }
  }
}

function tooFarBehind(fromS: number): AudioError {
  const message = `This device is far too slow: nothing after ${fromS.toFixed(1)} s is heard. Close other programs, or choose a smaller model.`;
  return new AudioError('too-far-behind', message, { fromS });
}

/** One recognition, from `start` to `end`. */

import type { Listening } from '../listening.js';
import { AuricleError } from '../errors.js';
import { averageLogProbability } from '../formats/written.js';
import type { EventOf, ListenOptions, Segment, TranscriptEvent } from '../types.js';
import {
  SpeechRecognitionAlternative,
  SpeechRecognitionErrorEvent,
  SpeechRecognitionEvent,
  SpeechRecognitionResult,
  SpeechRecognitionResultList,
  type SpeechRecognitionErrorCode,
} from './events.js';
import { supportedLanguage } from './languages.js';
import { configured, languages, shared } from './shared.js';

/** How long nothing may be said after `start`, unless configured; as in Chrome. */
const NO_SPEECH_TIMEOUT_MS = 8_000;

/** Sound of this much is taken for the beginning of some, by its root mean square: a quiet room is below. */
const SOUND_RMS = 0.01;

/** In place of an interim result that is taken back: pages read the one that has changed, so there must be one. */
const NOTHING = new SpeechRecognitionResult([new SpeechRecognitionAlternative('', 0)], false);

/** What a recognition was started with. */
export interface Settings {
  track: MediaStreamTrack | undefined;
  /** `undefined` for the model's own. */
  lang: string | undefined;
  continuous: boolean;
  interimResults: boolean;
  processLocally: boolean;
  hasPhrases: boolean;
}

/** A failure in the Web Speech API's words. */
class Failure extends Error {
  readonly code: SpeechRecognitionErrorCode;

  constructor(code: SpeechRecognitionErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** Gives its events to `dispatch`, of which `end` is the last. */
export class Run {
  readonly #settings: Settings;
  readonly #dispatch: (event: Event) => void;
  readonly #cancellation = new AbortController();
  #listening: Listening | undefined;
  /** What ended it, once something has. */
  #ending: 'stop' | 'abort' | 'one-result' | 'no-speech' | undefined;
  #failure: Failure | undefined;
  /** What was heard before `start` was given. */
  #early: TranscriptEvent[] | undefined = [];
  /** Events that were given and whose counterpart was not. */
  readonly #open = new Set<'audio' | 'sound' | 'speech'>();
  readonly #finals: SpeechRecognitionResult[] = [];
  #hasInterim = false;
  #noMatch = false;
  #silence: ReturnType<typeof setTimeout> | undefined;

  constructor(settings: Settings, dispatch: (event: Event) => void) {
    this.#settings = settings;
    this.#dispatch = dispatch;
    void this.#go();
  }

  /** Listens no more, and recognizes what was heard. */
  stop(): void {
    if (!this.#ending) this.#end('stop');
  }

  /** Listens no more, and forgets what was heard. */
  abort(): void {
    if (!this.#isOver) this.#end('abort');
  }

  async #go(): Promise<void> {
    try {
      // As the specification has it: nothing is given while `start` still runs.
      await Promise.resolve();
      await this.#recognize();
    } catch (error) {
      // Where it was ended on purpose, what was under way fails as cancelled.
      const isCancelled = this.#cancellation.signal.aborted;
      if (!isCancelled) this.#failure ??= failureOf(error);
    }
    clearTimeout(this.#silence);
    this.#close('speech');
    this.#close('sound');
    const heard = this.#open.has('audio');
    this.#close('audio');
    if (this.#ending === 'abort') {
      this.#fail('aborted', 'The page called abort().');
    } else if (this.#failure) {
      this.#fail(this.#failure.code, this.#failure.message);
    } else if (heard && this.#finals.length === 0 && !this.#noMatch) {
      this.#giveNoMatch();
    }
    this.#give('end');
  }

  async #recognize(): Promise<void> {
    const { hasPhrases, lang, track, processLocally, interimResults } = this.#settings;
    // Ended at once: nothing is loaded for it.
    this.#cancellation.signal.throwIfAborted();
    if (hasPhrases) throw new Failure('phrases-not-supported', 'The model takes no phrases: leave `phrases` empty.');
    // Before anything is downloaded, where it can be known.
    languageOf(lang, languages());
    const auricle = await this.#unlessEnded(shared());
    if (processLocally && auricle.source === 'server') {
      throw new Failure('service-not-allowed', 'This device cannot, and `processLocally` forbids the server.');
    }
    const language = languageOf(lang, auricle.model.languages);
    const options: ListenOptions = {
      ...(language !== undefined && { language }),
      partials: interimResults ? 'eager' : 'none',
      onEvent: (event) => this.#hear(event),
      signal: this.#cancellation.signal,
    };
    const listening = await this.#unlessEnded(track ? auricle.listen(track, options) : auricle.listen(options));
    this.#listening = listening;
    this.#give('start');
    this.#open.add('audio');
    this.#give('audiostart');
    this.#waitForSpeech();
    const early = this.#early ?? [];
    this.#early = undefined;
    for (const event of early) this.#hear(event);
    await listening.finished;
  }

  #waitForSpeech(): void {
    const { noSpeechTimeoutMs = NO_SPEECH_TIMEOUT_MS } = configured();
    if (noSpeechTimeoutMs === 0 || this.#ending) return;
    this.#silence = setTimeout(() => {
      this.#failure ??= new Failure('no-speech', `Nobody spoke for ${noSpeechTimeoutMs} ms.`);
      this.#end('no-speech');
    }, noSpeechTimeoutMs);
  }

  /** Waits for something; fails where the recognition ends before. */
  async #unlessEnded<Value>(awaited: Promise<Value>): Promise<Value> {
    const { signal } = this.#cancellation;
    signal.throwIfAborted();
    let cancel = (): void => undefined;
    const cancelled = new Promise<never>((_, reject) => {
      cancel = () => reject(signal.reason);
      signal.addEventListener('abort', cancel, { once: true });
    });
    try {
      return await Promise.race([awaited, cancelled]);
    } finally {
      signal.removeEventListener('abort', cancel);
    }
  }

  #end(why: 'stop' | 'abort' | 'one-result' | 'no-speech'): void {
    this.#ending = why;
    clearTimeout(this.#silence);
    if (why === 'stop' && this.#listening) {
      // Rejects as `finished` does, which is waited for.
      this.#listening.stop().catch(() => undefined);
    } else {
      this.#cancellation.abort();
    }
  }

  /** Whether nothing that is heard is of interest any more. */
  get #isOver(): boolean {
    return this.#ending !== undefined && this.#ending !== 'stop';
  }

  #hear(event: TranscriptEvent): void {
    if (this.#early) {
      this.#early.push(event);
      return;
    }
    if (this.#isOver) return;
    switch (event.type) {
      case 'level':
        if (event.rms >= SOUND_RMS) this.#begin('sound');
        break;
      case 'speechstart':
        clearTimeout(this.#silence);
        this.#begin('sound');
        this.#begin('speech');
        break;
      case 'partial':
        this.#hearPartial(event.segment);
        break;
      case 'final':
        this.#hearFinal(event);
        break;
      case 'error':
        // What was heard before is still recognized.
        this.#failure ??= failureOf(event.error);
        break;
      default:
        break;
    }
  }

  #hearPartial(segment: Segment): void {
    if (!this.#settings.interimResults || segment.text === '') return;
    this.#hasInterim = true;
    this.#giveResults(this.#resultOf(segment, false));
  }

  #hearFinal({ segment }: EventOf<'final'>): void {
    const { continuous } = this.#settings;
    if (segment.text === '') {
      if (this.#hasInterim) this.#giveResults(NOTHING);
      this.#hasInterim = false;
      this.#giveNoMatch();
    } else {
      const result = this.#resultOf(segment, true);
      this.#hasInterim = false;
      this.#giveResults(result);
      this.#finals.push(result);
    }
    // A listener may have ended it.
    if (!continuous && !this.#isOver) this.#end('one-result');
  }

  /** Texts are such that one after another they are a transcript. */
  #resultOf(segment: Segment, isFinal: boolean): SpeechRecognitionResult {
    const transcript = this.#finals.length > 0 ? ` ${segment.text}` : segment.text;
    const confidence = Math.exp(averageLogProbability(segment) ?? -Infinity);
    return new SpeechRecognitionResult([new SpeechRecognitionAlternative(transcript, confidence)], isFinal);
  }

  /** The finals so far and what follows them, which alone has changed. */
  #giveResults(changed: SpeechRecognitionResult): void {
    const results = new SpeechRecognitionResultList([...this.#finals, changed]);
    this.#dispatch(new SpeechRecognitionEvent('result', { results, resultIndex: this.#finals.length }));
  }

  #giveNoMatch(): void {
    this.#noMatch = true;
    const results = new SpeechRecognitionResultList(this.#finals);
    this.#dispatch(new SpeechRecognitionEvent('nomatch', { results, resultIndex: this.#finals.length }));
  }

  #begin(what: 'sound' | 'speech'): void {
    if (this.#open.has(what)) return;
    this.#open.add(what);
    this.#give(`${what}start`);
  }

  #close(what: 'audio' | 'sound' | 'speech'): void {
    if (this.#open.delete(what)) this.#give(`${what}end`);
  }

  #fail(error: SpeechRecognitionErrorCode, message: string): void {
    this.#dispatch(new SpeechRecognitionErrorEvent('error', { error, message }));
  }

  #give(type: string): void {
    this.#dispatch(new Event(type));
  }
}

/** The model's language for the page's; `undefined` where the page named none, or the model's file must tell first. */
function languageOf(lang: string | undefined, offered: readonly string[] | undefined): string | undefined {
  if (lang === undefined || offered === undefined || offered.length === 0) return undefined;
  const language = supportedLanguage(lang, offered);
  if (language === undefined) {
    throw new Failure('language-not-supported', `"${lang}" is not among the model's languages: ${offered.join(', ')}.`);
  }
  return language;
}

/** What the Web Speech API calls a failure of Auricle's. */
function failureOf(thrown: unknown): Failure {
  if (thrown instanceof Failure) return thrown;
  if (!(thrown instanceof AuricleError)) return new Failure('aborted', String(thrown));
  const { name, code, message } = thrown;
  const text = `${message} (${name}, ${code})`;
  switch (name) {
    case 'MicrophoneError': {
      const isForbidden = code === 'permission-denied' || code === 'insecure-context';
      return new Failure(isForbidden ? 'not-allowed' : 'audio-capture', text);
    }
    case 'DownloadError':
    case 'ServerError':
      return new Failure('network', text);
    case 'AudioError':
      return new Failure('audio-capture', text);
    case 'EngineError':
      return new Failure(code === 'unreachable' ? 'network' : 'aborted', text);
    default:
      return new Failure('service-not-allowed', text);
  }
}

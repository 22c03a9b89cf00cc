/**
 * `auricle/speech-recognition`: the Web Speech API's `SpeechRecognition`, over Auricle: what is said stays in the browser.
 *
 * A page switches by one import, `import { SpeechRecognition } from 'auricle/speech-recognition'`; or, where it looks for
 * `window.webkitSpeechRecognition`, by `Object.assign(globalThis, await import('auricle/speech-recognition'))`.
 *
 * Where the specification leaves a choice, it is Chrome's: `soundstart`, `speechstart` and their ends come once; `abort()`
 * gives the error `aborted` before `end`; who says nothing for 8 s gets `no-speech`.
 */

import { listModels } from './store.js';
import { SpeechGrammarList, SpeechRecognitionPhrase } from './speech-recognition/events.js';
import type { SpeechRecognitionErrorEvent, SpeechRecognitionEvent } from './speech-recognition/events.js';
import { canonicalTag, supportedLanguage } from './speech-recognition/languages.js';
import { Run } from './speech-recognition/run.js';
import * as shared from './speech-recognition/shared.js';
import type { SpeechRecognitionConfiguration } from './speech-recognition/shared.js';
import { refusal, reportOfPage } from './refusal.js';

export * from './speech-recognition/events.js';
export type { SpeechRecognitionConfiguration } from './speech-recognition/shared.js';

/** What `available` and `install` are asked. */
export interface SpeechRecognitionOptions {
  /** BCP 47 tags. */
  langs: Iterable<string>;
  /** Whether a server is out of the question. Without `configure({ fallback })` it always is. */
  processLocally?: boolean;
  /** What it must be good enough for; `command` unless given. */
  quality?: 'command' | 'dictation' | 'conversation';
}

/** `downloading` and `downloadable` are told only where `processLocally` is asked for. */
export type AvailabilityStatus = 'unavailable' | 'downloadable' | 'downloading' | 'available';

/** The events by their names. */
export interface SpeechRecognitionEventMap {
  audiostart: Event;
  soundstart: Event;
  speechstart: Event;
  speechend: Event;
  soundend: Event;
  audioend: Event;
  result: SpeechRecognitionEvent;
  nomatch: SpeechRecognitionEvent;
  error: SpeechRecognitionErrorEvent;
  start: Event;
  end: Event;
}

type Handler<Type extends keyof SpeechRecognitionEventMap> =
  | ((this: SpeechRecognition, event: SpeechRecognitionEventMap[Type]) => unknown)
  | null;

type Listener<Type extends keyof SpeechRecognitionEventMap> = (
  this: SpeechRecognition,
  event: SpeechRecognitionEventMap[Type],
) => unknown;

const EVENT_TYPES = [
  'audiostart',
  'soundstart',
  'speechstart',
  'speechend',
  'soundend',
  'audioend',
  'result',
  'nomatch',
  'error',
  'start',
  'end',
] as const;

const QUALITIES = ['command', 'dictation', 'conversation'];

/** Recognizes speech from the microphone or from a track. */
export class SpeechRecognition extends EventTarget {
  /** Changes nothing, as in the specification. */
  grammars = new SpeechGrammarList();
  /** A BCP 47 tag; the document's language where it is empty, and where that has none, the model's. */
  lang = '';
  /** Whether it goes on after the first final result. */
  continuous = false;
  /** Whether results are given that can still change. */
  interimResults = false;
  /** There is one alternative a result, whatever is set. */
  maxAlternatives = 1;
  /** Whether a server is out of the question. Without `configure({ fallback })` it always is. */
  processLocally = false;

  declare onaudiostart: Handler<'audiostart'>;
  declare onsoundstart: Handler<'soundstart'>;
  declare onspeechstart: Handler<'speechstart'>;
  declare onspeechend: Handler<'speechend'>;
  declare onsoundend: Handler<'soundend'>;
  declare onaudioend: Handler<'audioend'>;
  declare onresult: Handler<'result'>;
  declare onnomatch: Handler<'nomatch'>;
  declare onerror: Handler<'error'>;
  declare onstart: Handler<'start'>;
  declare onend: Handler<'end'>;

  #phrases: SpeechRecognitionPhrase[] = [];
  #run: Run | undefined;
  #handlers = new Map<string, (event: Event) => unknown>();

  static {
    for (const type of EVENT_TYPES) {
      Object.defineProperty(this.prototype, `on${type}`, {
        configurable: true,
        enumerable: true,
        get(this: SpeechRecognition) {
          return this.#handlers.get(type) ?? null;
        },
        set(this: SpeechRecognition, handler: unknown) {
          this.#setHandler(type, handler);
        },
      });
    }
  }

  /**
   * Tells how Auricle is to be loaded, for all recognitions of this page: at the first `start` or at `install`, or anew
   * where it was loaded already.
   */
  static configure(configuration: SpeechRecognitionConfiguration): void {
    shared.configure(configuration);
  }

  /** Gives back the memory of engine and model. Recognitions that run end; the next `start` loads again. */
  static release(): void {
    shared.release();
  }

  /** Tells whether speech in all of these languages can be recognized. Rejects with `SyntaxError` for what is no tag. */
  static async available(options: SpeechRecognitionOptions): Promise<AvailabilityStatus> {
    const { langs, processLocally } = checked(options);
    if (!isSupported(langs, options.quality)) return 'unavailable';
    const refused = refusal(reportOfPage(), shared.configured().calibration);
    if (!processLocally) return refused && !shared.configured().fallback ? 'unavailable' : 'available';
    if (refused) return 'unavailable';
    if (shared.state() === 'loaded') return 'available';
    const { store = 'auto' } = shared.configured();
    const digest = shared.modelDigest();
    // Where nothing can be kept, nothing is.
    const models = await listModels({ store }).catch(() => []);
    if (models.some(({ sha256, complete }) => complete && sha256 === digest)) return 'available';
    return shared.state() === 'loading' ? 'downloading' : 'downloadable';
  }

  /** Downloads the model and loads it, so that the next `start` listens at once. Tells whether it is there. */
  static async install(options: SpeechRecognitionOptions): Promise<boolean> {
    const { langs } = checked(options);
    if (!isSupported(langs, options.quality)) return false;
    return shared.shared().then(
      ({ source }) => source === 'device',
      () => false,
    );
  }

  /** Phrases to expect. The model takes none: with any, `start` gives the error `phrases-not-supported`. */
  get phrases(): SpeechRecognitionPhrase[] {
    return this.#phrases;
  }

  set phrases(phrases: Iterable<SpeechRecognitionPhrase>) {
    const list = [...phrases];
    if (!list.every((phrase) => phrase instanceof SpeechRecognitionPhrase)) {
      throw new TypeError('phrases takes SpeechRecognitionPhrase objects only');
    }
    this.#phrases = list;
  }

  /** Begins to listen: to the microphone, or to a track. Throws `InvalidStateError` where it listens already. */
  start(track?: MediaStreamTrack): void {
    if (track !== undefined) checkTrack(track);
    if (this.#run) {
      throw new DOMException('recognition has already started', 'InvalidStateError');
    }
    const settings = {
      track,
      lang: this.lang || languageOfDocument() || undefined,
      continuous: this.continuous,
      interimResults: this.interimResults,
      processLocally: this.processLocally,
      hasPhrases: this.#phrases.length > 0,
    };
    const run = new Run(settings, (event) => {
      // From then on it may be started again, by a listener of this event too.
      if (event.type === 'end' && this.#run === run) this.#run = undefined;
      this.dispatchEvent(event);
    });
    this.#run = run;
  }

  /** Listens no more, and gives a result of what was heard. */
  stop(): void {
    this.#run?.stop();
  }

  /** Listens no more, and gives no result. */
  abort(): void {
    this.#run?.abort();
  }

  override addEventListener<Type extends keyof SpeechRecognitionEventMap>(
    type: Type,
    listener: Listener<Type>,
    options?: boolean | AddEventListenerOptions,
  ): void;
  override addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | AddEventListenerOptions,
  ): void;
  override addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | AddEventListenerOptions,
  ): void {
    super.addEventListener(type, listener, options);
  }

  override removeEventListener<Type extends keyof SpeechRecognitionEventMap>(
    type: Type,
    listener: Listener<Type>,
    options?: boolean | EventListenerOptions,
  ): void;
  override removeEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | EventListenerOptions,
  ): void;
  override removeEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | EventListenerOptions,
  ): void {
    super.removeEventListener(type, listener, options);
  }

  /** A handler takes the place among the listeners that the first one had. */
  #setHandler(type: string, handler: unknown): void {
    if (typeof handler !== 'function') {
      this.#handlers.delete(type);
      super.removeEventListener(type, this.#callHandler);
      return;
    }
    this.#handlers.set(type, handler as (event: Event) => unknown);
    super.addEventListener(type, this.#callHandler);
  }

  readonly #callHandler = (event: Event): void => {
    this.#handlers.get(event.type)?.call(this, event);
  };
}

export {
  SpeechRecognition as webkitSpeechRecognition,
};
export {
  SpeechGrammar as webkitSpeechGrammar,
  SpeechGrammarList as webkitSpeechGrammarList,
  SpeechRecognitionErrorEvent as webkitSpeechRecognitionError,
  SpeechRecognitionEvent as webkitSpeechRecognitionEvent,
} from './speech-recognition/events.js';

function checked(options: SpeechRecognitionOptions): { langs: string[]; processLocally: boolean } {
  if (typeof options?.langs?.[Symbol.iterator] !== 'function' || typeof options.langs === 'string') {
    throw new TypeError('langs must be a list of language tags');
  }
  const { quality = 'command', processLocally = false } = options;
  if (!QUALITIES.includes(quality)) throw new TypeError(`quality is "${quality}": it must be ${QUALITIES.join(', ')}`);
  return { langs: Array.from(options.langs, (lang) => canonicalTag(String(lang))), processLocally };
}

/** The catalog's models are for one speaker: none is good enough for conversations. */
function isSupported(langs: string[], quality: SpeechRecognitionOptions['quality']): boolean {
  const offered = shared.languages() ?? [];
  return quality !== 'conversation' && langs.length > 0 && langs.every((lang) => supportedLanguage(lang, offered));
}

function checkTrack(track: MediaStreamTrack): void {
  if (!(track instanceof MediaStreamTrack)) throw new TypeError('start takes a MediaStreamTrack or nothing');
  const fault =
    track.kind !== 'audio' ? 'no audio track' : track.readyState !== 'live' ? 'a track that has ended' : undefined;
  if (fault) throw new DOMException(`start was given ${fault}`, 'InvalidStateError');
}

function languageOfDocument(): string {
  return globalThis.document?.documentElement.lang ?? '';
}

/** The interfaces of the Web Speech API beside `SpeechRecognition` itself. */

/** What went wrong, in the Web Speech API's words. */
export type SpeechRecognitionErrorCode =
  | 'no-speech'
  | 'aborted'
  | 'audio-capture'
  | 'network'
  | 'not-allowed'
  | 'service-not-allowed'
  | 'language-not-supported'
  | 'phrases-not-supported';

/** One reading of what was said. */
export class SpeechRecognitionAlternative {
  readonly transcript: string;
  /** The geometric mean of the tokens' probabilities, 0 to 1; 0 where a server does not tell. */
  readonly confidence: number;

  constructor(transcript: string, confidence: number) {
    this.transcript = transcript;
    this.confidence = confidence;
  }
}

/** What both lists have: `length`, `item` and numbered properties. */
class List<Item> {
  readonly length: number;
  readonly [index: number]: Item;

  constructor(items: readonly Item[]) {
    this.length = items.length;
    Object.assign(this, items);
  }

  /** The one at this place; `null` beyond the end. */
  item(index: number): Item | null {
    return this[index] ?? null;
  }

  [Symbol.iterator](): ArrayIterator<Item> {
    return Array.prototype[Symbol.iterator].call(this);
  }
}

/** One stretch of speech: its readings, the best first. There is one. */
export class SpeechRecognitionResult extends List<SpeechRecognitionAlternative> {
  /** Whether it stays as it is. */
  readonly isFinal: boolean;

  constructor(alternatives: readonly SpeechRecognitionAlternative[], isFinal: boolean) {
    super(alternatives);
    this.isFinal = isFinal;
  }
}

/** All that was said since `start`: finals, then what is still being spoken. */
export class SpeechRecognitionResultList extends List<SpeechRecognitionResult> {}

export interface SpeechRecognitionEventInit extends EventInit {
  resultIndex?: number;
  results: SpeechRecognitionResultList | null;
}

/** `result` and `nomatch`. */
export class SpeechRecognitionEvent extends Event {
  /** The lowest index in `results` that has changed. */
  readonly resultIndex: number;
  readonly results: SpeechRecognitionResultList;

  constructor(type: string, init: SpeechRecognitionEventInit) {
    super(type, init);
    this.resultIndex = init.resultIndex ?? 0;
    this.results = init.results ?? new SpeechRecognitionResultList([]);
  }
}

export interface SpeechRecognitionErrorEventInit extends EventInit {
  error: SpeechRecognitionErrorCode;
  message?: string;
}

/** `error`. */
export class SpeechRecognitionErrorEvent extends Event {
  readonly error: SpeechRecognitionErrorCode;
  /** For developers. */
  readonly message: string;

  constructor(type: string, init: SpeechRecognitionErrorEventInit) {
    super(type, init);
    this.error = init.error;
    this.message = init.message ?? '';
  }
}

/** Kept for old pages; it changes nothing, as in the specification. */
export class SpeechGrammar {
  src = '';
  weight = 1;
}

/** Kept for old pages; it changes nothing, as in the specification. */
export class SpeechGrammarList {
  readonly [index: number]: SpeechGrammar;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  item(index: number): SpeechGrammar | null {
    return this[index] ?? null;
  }

  addFromURI(src: string, weight = 1): void {
    const grammar = Object.assign(new SpeechGrammar(), { src: String(src), weight });
    Object.defineProperty(this, this.#length, { value: grammar, enumerable: true });
    this.#length += 1;
  }

  addFromString(text: string, weight = 1): void {
    this.addFromURI(`data:application/xml,${encodeURIComponent(text)}`, weight);
  }
}

/** A phrase to expect. */
export class SpeechRecognitionPhrase {
  readonly phrase: string;
  /** From 0 to 10. */
  readonly boost: number;

  constructor(phrase: string, boost = 1) {
    if (!(boost >= 0 && boost <= 10)) {
      throw new DOMException(`boost is ${boost}: give a number from 0 to 10`, 'SyntaxError');
    }
    this.phrase = String(phrase);
    this.boost = boost;
  }
}

/**
 * Every way in which Auricle fails: a class for what failed, a `code` for what a program can do about it, and a message that
 * says what a person can. Cancelling is no failure: it rejects with the signal's reason.
 */

/** Numbers and names that belong to an error; the same for one `code`. */
export type ErrorDetails = Readonly<Record<string, string | number | boolean>>;

/** What all errors of Auricle are. */
export class AuricleError<Code extends string = string> extends Error {
  override readonly name: string = 'AuricleError';
  readonly code: Code;
  readonly details: ErrorDetails;

  constructor(code: Code, message: string, details: ErrorDetails = {}, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.details = details;
  }
}

/**
 * The model cannot be used.
 *
 * `unknown-model`: the catalog has none of this name. `malformed-model`: the file is damaged (`offset`).
 * `unsupported-model`: this version cannot run it. `incomplete-model`: bytes are missing (`receivedBytes`).
 * `limit-exceeded`: something is larger than the engine takes (`limit`, `allowed`, `requested`).
 */
export class ModelError extends AuricleError<
  'unknown-model' | 'malformed-model' | 'unsupported-model' | 'incomplete-model' | 'limit-exceeded'
> {
  override readonly name = 'ModelError';
}

/**
 * The model, or audio from an address, was not got.
 *
 * `network`: no answer. `http-status`: the server refused (`status`). `stalled`: nothing came for too long.
 * `not-a-model`: something else came, such as a web page. `wrong-size` and `wrong-digest`: not the file that was meant.
 */
export class DownloadError extends AuricleError<
  'network' | 'http-status' | 'stalled' | 'not-a-model' | 'wrong-size' | 'wrong-digest'
> {
  override readonly name = 'DownloadError';
}

/**
 * The browser's storage failed.
 *
 * `quota-exceeded`: no room. `storage-unavailable`: the browser refuses it, as in some private windows. `evicted`: what was
 * stored is gone.
 */
export class StoreError extends AuricleError<'quota-exceeded' | 'storage-unavailable' | 'evicted'> {
  override readonly name = 'StoreError';
}

/**
 * The audio cannot be used.
 *
 * `undecodable`: neither Auricle nor the browser can read it. `unsupported-rate`: see `PcmAudio.sampleRateHz`.
 * `invalid-audio`: a sample is not a usable number. `too-far-behind`: the device is too slow, and listening ended (nothing after
 * `fromS` was heard).
 * `limit-exceeded`: one utterance is longer than the model takes, or a WAV file larger than can be read at once (`allowed`,
 * `requested`).
 */
export class AudioError extends AuricleError<
  'undecodable' | 'unsupported-rate' | 'invalid-audio' | 'too-far-behind' | 'limit-exceeded'
> {
  override readonly name = 'AudioError';
}

/**
 * The microphone cannot be heard.
 *
 * `insecure-context`: the page is not served by https or from localhost. `permission-denied`: by the user, the page's policy
 * or the system. `not-found`: no such microphone, or no audio in the stream. `in-use`: the system does not give it.
 * `lost`: it was unplugged or its permission taken back. `suspended`: the browser does not run audio.
 */
export class MicrophoneError extends AuricleError<
  'insecure-context' | 'permission-denied' | 'not-found' | 'in-use' | 'lost' | 'suspended'
> {
  override readonly name = 'MicrophoneError';
}

/**
 * This browser or device cannot run Auricle, and no server was named (`LoadOptions.fallback`).
 */
export class CapabilityError extends AuricleError<'no-wasm' | 'no-simd' | 'no-worker' | 'too-little-memory' | 'too-slow'> {
  override readonly name = 'CapabilityError';
}

/**
 * The engine failed or was asked for what it cannot do.
 *
 * `trapped`: it failed again and again. `invalid-option` and `unsupported-option`: see `option`. `invalid-state`: such as a
 * call after `close`. `internal`: a fault of Auricle; report it. `unreachable`: its files were not got (`url`).
 */
export class EngineError extends AuricleError<
  'trapped' | 'invalid-option' | 'unsupported-option' | 'invalid-state' | 'internal' | 'unreachable'
> {
  override readonly name = 'EngineError';
}

/**
 * The server of `LoadOptions.fallback` failed: `http-status` (`status`), `network`, `malformed-answer`.
 */
export class ServerError extends AuricleError<'http-status' | 'network' | 'malformed-answer'> {
  override readonly name = 'ServerError';
}

/** An error as it passes between the page and the Worker. */
export interface ErrorRecord {
  class: string;
  code: string;
  message: string;
  details: ErrorDetails;
}

type ErrorClass = new (code: never, message: string, details?: ErrorDetails) => AuricleError;

const CLASSES: Readonly<Record<string, ErrorClass>> = {
  ModelError,
  DownloadError,
  StoreError,
  AudioError,
  MicrophoneError,
  CapabilityError,
  EngineError,
  ServerError,
};

/** `class` of a record that stands for a cancelled request: the page knows the reason. */
const CANCELLED = 'Cancelled';

/** Turns whatever was thrown into a record. What is no error of Auricle's is a fault of Auricle. */
export function recordOf(thrown: unknown): ErrorRecord {
  if (thrown instanceof AuricleError) {
    return { class: thrown.name, code: thrown.code, message: thrown.message, details: thrown.details };
  }
  if (isErrorRecord(thrown)) {
    // The shim throws an `Error` with these, which would lose them on its way.
    const { class: name, code, message, details } = thrown;
    return { class: name, code, message, details };
  }
  if (thrown instanceof DOMException && thrown.name === 'AbortError') {
    return { class: CANCELLED, code: 'cancelled', message: thrown.message, details: {} };
  }
  const message = thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown);
  return { class: 'EngineError', code: 'internal', message: `Auricle is at fault: ${message}`, details: {} };
}

/** Makes an error of a record. */
export function errorOf(record: ErrorRecord): AuricleError | DOMException {
  if (record.class === CANCELLED) {
    return new DOMException(record.message, 'AbortError');
  }
  const Class = CLASSES[record.class] ?? EngineError;
  return new Class(record.code as never, record.message, record.details);
}

/** Whether this is an error as it passes between page and Worker, or comes from the shim. */
export function isErrorRecord(value: unknown): value is ErrorRecord {
  const record = value as Partial<ErrorRecord> | null;
  return (
    typeof record === 'object' &&
    record !== null &&
    typeof record.class === 'string' &&
    typeof record.code === 'string' &&
    typeof record.message === 'string' &&
    typeof record.details === 'object'
  );
}

/** Listening to a microphone or a track. */

import { Capture } from './audio/capture.js';
import { openMicrophone, trackOf } from './audio/microphone.js';
import { callPage, type Connection } from './connection.js';
import { AuricleError, errorOf } from './errors.js';
import type { PostedEvent } from './protocol.js';
import { sessionSettings } from './settings.js';
import type { EventOf, ListenOptions, Transcript, TranscriptEvent } from './types.js';

/**
 * What is said, while it is said. Three ways to hear of it: events of the type that each has, as `CustomEvent`s with the
 * event in `detail`; `for await (const event of listening)`; and `ListenOptions.onEvent`.
 *
 * When the audio ends by itself, such as by an unplugged microphone, an `error` says so, and what was heard is still
 * transcribed: `finished` then resolves. It rejects where the engine failed, and with the reason where it was aborted.
 */
export class Listening extends EventTarget implements AsyncIterable<TranscriptEvent> {
  /** All that was said, once listening has ended. */
  readonly finished: Promise<Transcript>;
  #level = 0;
  #error: AuricleError | undefined;
  #isDone = false;
  #readers = new Set<Reader>();
  #control: Control;

  /** @internal Made by `Auricle.listen`. */
  constructor(control: Control) {
    super();
    this.#control = control;
    this.finished = control.finished;
    // Who does not ask for it need not hear that it failed: there are events.
    this.finished.catch(() => {});
  }

  /** The loudest that was heard in the last moment, from 0 to 1. */
  get level(): number {
    return this.#level;
  }

  /** The last error, where there was one. */
  get error(): AuricleError | undefined {
    return this.#error;
  }

  /** Stops listening, and gives all that was said, the last words too. */
  stop(): Promise<Transcript> {
    this.#control.stop();
    return this.finished;
  }

  /** Stops listening, and drops what is not yet transcribed. */
  abort(reason: unknown = new DOMException('Listening was aborted.', 'AbortError')): void {
    this.#control.abort(reason);
  }

  /** Every event from now on; ends after the last. A slow loop gets only the newest level, and the newest partial of a segment. */
  [Symbol.asyncIterator](): AsyncIterator<TranscriptEvent> {
    const reader = new Reader(() => this.#readers.delete(reader));
    if (this.#isDone) {
      reader.end();
    } else {
      this.#readers.add(reader);
    }
    return reader;
  }

  override addEventListener<Type extends TranscriptEvent['type']>(
    type: Type,
    listener: ((event: CustomEvent<EventOf<Type>>) => void) | null,
    options?: AddEventListenerOptions | boolean,
  ): void;
  override addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: AddEventListenerOptions | boolean,
  ): void;
  override addEventListener(type: string, listener: unknown, options?: AddEventListenerOptions | boolean): void {
    super.addEventListener(type, listener as EventListenerOrEventListenerObject | null, options);
  }

  /** @internal */
  take(event: TranscriptEvent): void {
    if (this.#isDone) {
      return;
    }
    if (event.type === 'level') {
      this.#level = event.peak;
    } else if (event.type === 'error') {
      this.#error = event.error;
    }
    this.dispatchEvent(new CustomEvent(event.type, { detail: event }));
    this.#readers.forEach((reader) => reader.push(event));
  }

  /** @internal */
  end(): void {
    this.#isDone = true;
    this.#level = 0;
    this.#readers.forEach((reader) => reader.end());
    this.#readers.clear();
  }
}

/** What a `Listening` does when it is told to. */
interface Control {
  finished: Promise<Transcript>;
  stop(): void;
  abort(reason: unknown): void;
}

/** Events on their way to one loop. */
class Reader implements AsyncIterator<TranscriptEvent> {
  #events: TranscriptEvent[] = [];
  #waiting: ((result: IteratorResult<TranscriptEvent>) => void)[] = [];
  #isEnded = false;

  constructor(private readonly onReturn: () => void) {}

  push(event: TranscriptEvent): void {
    const waiting = this.#waiting.shift();
    if (waiting === undefined) {
      const outdated = this.#events.findIndex((former) => isOutdated(former, event));
      const [former] = outdated < 0 ? [] : this.#events.splice(outdated, 1);
      this.#events.push(former === undefined ? event : instead(former, event));
    } else {
      waiting({ done: false, value: event });
    }
  }

  end(): void {
    this.#isEnded = true;
    this.#waiting.splice(0).forEach((resolve) => resolve({ done: true, value: undefined }));
  }

  next(): Promise<IteratorResult<TranscriptEvent>> {
    const event = this.#events.shift();
    if (event !== undefined) {
      return Promise.resolve({ done: false, value: event });
    }
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      if (this.#isEnded) {
        this.end();
      }
    });
  }

  return(): Promise<IteratorResult<TranscriptEvent>> {
    this.onReturn();
    this.#events = [];
    this.end();
    return Promise.resolve({ done: true, value: undefined });
  }
}

/** Whether an event says nothing beside a newer one: a slow loop is not given it, or it would fall ever further behind. */
function isOutdated(former: TranscriptEvent, event: TranscriptEvent): boolean {
  if (former.type === 'partial' && event.type === 'partial') {
    return former.segment.id === event.segment.id;
  }
  return former.type === 'level' && event.type === 'level';
}

/** The newer event; what the other one would have told that had to be looked at again, it tells. */
function instead(former: TranscriptEvent, event: TranscriptEvent): TranscriptEvent {
  if (former.type === 'partial' && event.type === 'partial' && former.segment.settledChanged) {
    return { ...event, segment: { ...event.segment, settledChanged: true } };
  }
  return event;
}

/** Opens the microphone, or takes what is given, and listens. */
export async function listen(
  connection: Connection,
  given: MediaStreamTrack | MediaStream | undefined,
  options: ListenOptions,
): Promise<Listening> {
  const { signal } = options;
  signal?.throwIfAborted();
  const settings = sessionSettings(options, 'eager');
  const track = given === undefined ? await openMicrophone(options, signal) : trackOf(given);
  let listening: Listening | undefined;
  let capture: Capture | undefined;
  // What comes before there is somebody to take it.
  const early: TranscriptEvent[] = [];
  const take = (event: TranscriptEvent): void => {
    if (listening === undefined) {
      early.push(event);
    } else {
      callPage(options.onEvent, event);
      listening.take(event);
    }
  };
  let opened = (): void => {};
  const isOpen = new Promise<void>((resolve) => {
    opened = resolve;
  });
  // Whatever ends it, and whenever, nothing is left open.
  let isOver = false;
  const stopCapture = (): void => {
    isOver = true;
    capture?.close();
  };
  const { id, answer } = connection.request<Transcript>(
    { kind: 'listen', settings },
    {
      signal,
      onEvent: (event) => take(eventOf(event)),
      onOpened: () => opened(),
      onAudioEnded: stopCapture,
    },
  );
  let isSettled = false;
  const finished = answer.then(
    (transcript) => {
      isSettled = true;
      stopCapture();
      listening?.end();
      return transcript;
    },
    (error: unknown) => {
      isSettled = true;
      stopCapture();
      if (error instanceof AuricleError && listening !== undefined) {
        take({ type: 'error', error });
      }
      listening?.end();
      throw error;
    },
  );
  finished.catch(() => {});
  const finish = (): void => connection.tell({ kind: 'finish', id });
  try {
    await Promise.race([isOpen, finished]);
    const starting = Capture.start(track, given === undefined, {
      onPort: (port, sampleRateHz) => connection.tell({ kind: 'audio-port', id, port, sampleRateHz }, [port]),
      onNotice: (notice) => take({ type: 'notice', notice }),
      onResumed: () => connection.tell({ kind: 'resumed', id }),
      onEnded: (error) => {
        if (error !== undefined) {
          take({ type: 'error', error });
        }
        finish();
      },
    });
    const started = starting.then((it) => {
      capture = it;
      if (isOver) {
        it.close();
      }
    });
    // What ends meanwhile, by the signal too, does not wait for the browser.
    await Promise.race([started, finished]);
    if (isSettled) {
      await finished;
    }
  } catch (error) {
    connection.cancel(id, error);
    stopCapture();
    if (given === undefined) {
      track.stop();
    }
    throw error;
  }
  listening = new Listening({ finished, stop: finish, abort: (reason) => connection.cancel(id, reason) });
  early.splice(0).forEach(take);
  if (isSettled) {
    listening.end();
  }
  return listening;
}

function eventOf(event: PostedEvent): TranscriptEvent {
  if (event.type !== 'error') {
    return event;
  }
  return { type: 'error', error: errorOf(event.error) as AuricleError };
}

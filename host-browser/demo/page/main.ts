/** The page: what happens when. One thing at a time is under way: loading, listening, or transcribing a recording. */

import { Auricle, EngineError, type Listening, type TranscriptEvent } from '../dist/index.js';
import { showBadge } from './badge.js';
import { showDevice } from './device.js';
import { element, setText } from './dom.js';
import { isPersisted, keep, keptOf, remove } from './kept.js';
import { Meter } from './meter.js';
import { MicrophonePicker } from './microphones.js';
import { ModelPanel } from './models.js';
import * as notices from './notices.js';
import { offerRecordings } from './recordings.js';
import { keepShell, shellReport } from './shell.js';
import * as status from './status.js';
import { TakeList } from './take-list.js';
import { Take } from './takes.js';
import { clock, megabytes, milliseconds } from './units.js';

/** So long, with nothing above this level, and the page asks whether it is the right microphone. */
const SILENT_MS = 5_000;
const SILENT_PEAK = 0.004;

const LICENCE = 'Free software, under MIT or Apache-2.0.';

const LISTENING = 'Listening. At every pause, a line is finished.';

type State = 'idle' | 'loading' | 'listening' | 'finishing' | 'transcribing';

const LABELS: Record<State, string> = {
  idle: 'Start',
  loading: 'Cancel',
  listening: 'Stop',
  finishing: 'Finishing…',
  transcribing: 'Cancel',
};

class Page {
  readonly #start = element('start', HTMLButtonElement);
  readonly #startLabel = element('start-label', HTMLElement);
  readonly #clock = element('clock', HTMLElement);
  readonly #microphones = new MicrophonePicker(element('microphone', HTMLSelectElement));
  readonly #meter = new Meter(element('meter', HTMLCanvasElement));
  readonly #takes = new TakeList();
  readonly #models = new ModelPanel(
    () => void this.#modelChanged(),
    () => void this.#delete(),
  );
  #state: State = 'idle';
  #auricle: Auricle | undefined;
  /** Loading, while it is under way: begun unasked where the model is stored, or by whoever needs it first. */
  #loading: { auricle: Promise<Auricle>; cancel: AbortController } | undefined;
  #listening: Listening | undefined;
  #cancel = new AbortController();
  /** How often the badge was looked into: what an earlier look finds is out of date. */
  #badgeUpdates = 0;
  /** Recordings that wait for their turn. */
  readonly #queue: File[] = [];

  async open(): Promise<void> {
    this.#start.addEventListener('click', () => this.#press());
    offerRecordings((files) => this.#takeRecordings(files), notices.showError);
    showDevice().catch(notices.showError);
    keepShell(() => void this.#updateBadge()).catch((error: unknown) => console.warn('No service worker:', error));
    await this.#modelChanged();
  }

  /** What the big button does depends on what is under way. */
  #press(): void {
    switch (this.#state) {
      case 'idle':
        void this.#run((signal) => this.#listen(signal));
        break;
      case 'loading':
      case 'transcribing':
        this.#queue.length = 0;
        this.#cancel.abort();
        break;
      case 'listening':
        this.#stop();
        break;
      case 'finishing':
        break;
    }
  }

  #stop(): void {
    this.#enter('finishing');
    status.say('Writing down the last words…');
    // Whoever waits for `finished` learns how it went.
    this.#listening?.stop().catch(() => undefined);
  }

  #takeRecordings(files: readonly File[]): void {
    this.#queue.push(...files);
    if (this.#state === 'listening') {
      this.#stop();
    } else if (this.#state === 'idle') {
      this.#next();
    }
  }

  #next(): void {
    const file = this.#queue.shift();
    if (file !== undefined) {
      void this.#run((signal) => this.#transcribe(file, signal));
    }
  }

  /** Does one thing from beginning to end, and says how it went. */
  async #run(job: (signal: AbortSignal) => Promise<string>): Promise<void> {
    this.#cancel = new AbortController();
    notices.removeErrors();
    try {
      status.say(await job(this.#cancel.signal));
    } catch (error) {
      if (this.#cancel.signal.aborted) {
        status.say('Cancelled.');
      } else {
        status.say('That did not work.');
        if (error instanceof EngineError) {
          // The next attempt begins with an engine of its own.
          this.#forget();
        }
        notices.showError(error, { label: 'Try again', run: () => this.#state === 'idle' && void this.#run(job) });
      }
    }
    this.#listening = undefined;
    this.#meter.clear();
    this.#enter('idle');
    this.#next();
  }

  #enter(state: State): void {
    this.#state = state;
    this.#start.dataset['state'] = state === 'idle' ? 'idle' : 'busy';
    this.#start.disabled = state === 'finishing';
    setText(this.#startLabel, LABELS[state]);
    this.#microphones.locked = state !== 'idle';
    this.#models.locked = state !== 'idle';
  }

  async #load(signal: AbortSignal): Promise<Auricle> {
    if (this.#auricle !== undefined) {
      return this.#auricle;
    }
    this.#enter('loading');
    this.#loading ??= this.#beginLoading();
    const { auricle, cancel } = this.#loading;
    signal.addEventListener('abort', () => cancel.abort());
    return auricle;
  }

  #beginLoading(): { auricle: Promise<Auricle>; cancel: AbortController } {
    const cancel = new AbortController();
    const loading = async () => {
      try {
        const auricle = await Auricle.load({
          model: this.#models.chosen.name,
          signal: cancel.signal,
          onProgress: status.showLoading,
          onNotice: notices.showNotice,
        });
        this.#auricle = auricle;
        const { version, flavour } = auricle.engine;
        setText(element('about', HTMLElement), `Auricle ${version}, ${flavour} build. ${LICENCE}`);
        keep(() => void this.#updateBadge());
        void this.#updateBadge();
        return auricle;
      } finally {
        notices.remove('retrying');
        if (this.#loading?.cancel === cancel) {
          this.#loading = undefined;
        }
      }
    };
    return { auricle: loading(), cancel };
  }

  async #listen(signal: AbortSignal): Promise<string> {
    const auricle = await this.#load(signal);
    this.#enter('loading');
    status.say('Waiting for the microphone…');
    const begun = new Date();
    const take = new Take(`Microphone, ${begun.toTimeString().slice(0, 5)}`, `auricle-${stamp(begun)}`);
    const deviceId = this.#microphones.deviceId;
    const heard = this.#hearing(take);
    this.#listening = await auricle.listen({ ...(deviceId === undefined ? {} : { deviceId }), signal, onEvent: heard });
    this.#takes.add(take);
    this.#enter('listening');
    status.say(LISTENING);
    // Their names are known now.
    void this.#microphones.refresh();
    const ticking = this.#tick(performance.now());
    try {
      const { durationS } = await this.#listening.finished;
      take.durationS = durationS;
      return take.lines.length > 0 ? `Stopped after ${clock(durationS)}.` : 'Stopped. Nobody said anything.';
    } finally {
      clearInterval(ticking);
      take.live = undefined;
      this.#takes.update(take);
    }
  }

  async #transcribe(file: File, signal: AbortSignal): Promise<string> {
    const auricle = await this.#load(signal);
    this.#enter('transcribing');
    // Shown once something is known of it: what is no recording leaves what was there.
    const take = new Take(file.name, file.name.replace(/\.[^.]*$/, ''));
    status.say(`Reading ${file.name}…`);
    const begunMs = performance.now();
    const { durationS } = await auricle.transcribe(file, {
      signal,
      onEvent: this.#hearing(take),
      onProgress: (progress) => {
        this.#takes.update(take);
        status.showTranscribing(file.name, progress);
      },
    });
    take.durationS = durationS;
    this.#takes.update(take);
    const tookMs = performance.now() - begunMs;
    return `Done: ${clock(durationS)} of audio in ${milliseconds(tookMs)}.`;
  }

  /** What to do with each event of a take. */
  #hearing(take: Take): (event: TranscriptEvent) => void {
    let silentSinceMs = performance.now();
    let asked = false;
    return (event) => {
      switch (event.type) {
        case 'level':
          this.#meter.push(event.peak);
          if (event.peak > SILENT_PEAK) {
            silentSinceMs = performance.now();
          } else if (!asked && performance.now() - silentSinceMs > SILENT_MS && this.#state === 'listening') {
            asked = true;
            status.say('Listening, but there is no sound. Is it the right microphone?');
          }
          return;
        case 'partial':
          take.live = event.segment;
          break;
        case 'final':
          take.add(event.segment, event.latencyMs, event.realTimeFactor);
          break;
        case 'notice':
          notices.showNotice(event.notice);
          return;
        case 'speechstart':
          status.sayIf(this.#state === 'listening', LISTENING);
          return;
        case 'error':
          notices.showError(event.error);
          return;
        default:
          return;
      }
      this.#takes.update(take);
    };
  }

  /** Shows the time since the start, every second. */
  #tick(sinceMs: number): ReturnType<typeof setInterval> {
    const show = () => setText(this.#clock, clock((performance.now() - sinceMs) / 1000));
    show();
    return setInterval(show, 250);
  }

  /** Shows what is stored of the chosen model, and makes it ready if all of it is: nothing is downloaded unasked. */
  async #modelChanged(): Promise<void> {
    this.#forget();
    void this.#updateBadge();
    const model = this.#models.chosen;
    const kept = await keptOf(model);
    this.#models.show(kept);
    if (kept.state !== 'stored') {
      status.sayIf(this.#state === 'idle', `Ready. The first start downloads ${megabytes(model.bytes)}, once.`);
      return;
    }
    const { auricle, cancel } = (this.#loading ??= this.#beginLoading());
    try {
      await auricle;
      status.sayIf(this.#state === 'idle', 'Ready.');
    } catch (error) {
      // Whoever has pressed Start meanwhile is told by what that began, and whoever ended it knows.
      if (this.#state === 'idle' && !cancel.signal.aborted) {
        status.say('The model could not be loaded.');
        notices.showError(error);
      }
    }
  }

  async #delete(): Promise<void> {
    const { sha256, bytes } = this.#models.chosen;
    this.#forget();
    try {
      await remove(sha256);
    } catch (error) {
      notices.showError(error);
      return;
    }
    await this.#modelChanged();
    status.say(`Deleted: ${megabytes(bytes)} are free again. The next start downloads the model anew.`);
    this.#start.focus();
  }

  #forget(): void {
    this.#loading?.cancel.abort();
    // Whoever needs a model next begins anew, and does not get what was ended here.
    this.#loading = undefined;
    this.#auricle?.close();
    this.#auricle = undefined;
  }

  /** Shows or hides the badge. Nothing waits for it: a service worker may take its time, or never answer. */
  async #updateBadge(): Promise<void> {
    this.#badgeUpdates += 1;
    const update = this.#badgeUpdates;
    const auricle = this.#auricle;
    const store = auricle?.engine.store;
    if (store !== undefined) {
      this.#models.show({ state: 'verified', store });
    }
    const model = auricle === undefined || store === 'memory' ? undefined : auricle.model;
    if (model === undefined) {
      showBadge({ model, shell: undefined, persisted: false });
      return;
    }
    const [shell, persisted] = await Promise.all([shellReport(), isPersisted()]);
    if (update === this.#badgeUpdates) {
      showBadge({ model, shell, persisted });
    }
  }
}

/** `2026-11-25-2014` */
function stamp(date: Date): string {
  const two = (value: number) => String(value).padStart(2, '0');
  const day = [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())].join('-');
  return `${day}-${two(date.getHours())}${two(date.getMinutes())}`;
}

await new Page().open();

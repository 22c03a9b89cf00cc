/**
 * From a track to the Worker: an audio context, a source and a worklet, whose samples never touch the page. What happens to
 * track, context and device on the way is told.
 */

import { MicrophoneError } from '../errors.js';
import type { Notice, NoticeCode } from '../types.js';

/** What the page does when somebody is there: browsers let audio run from then on. */
const GESTURES = ['pointerdown', 'keydown', 'touchend'] as const;

/** Told what happens to the audio. */
export interface CaptureListener {
  /** Samples of so many a second come through this port from now on. */
  onPort(port: MessagePort, sampleRateHz: number): void;
  onNotice(notice: Notice): void;
  /** The audio had stopped, and comes again. */
  onResumed(): void;
  /** No more audio comes: the track has ended, or `error` tells what happened. */
  onEnded(error?: MicrophoneError): void;
}

interface Graph {
  context: AudioContext;
  source: MediaStreamAudioSourceNode;
  worklet: AudioWorkletNode;
}

/** A track that is listened to. */
export class Capture {
  #graph: Graph | undefined;
  #closed = new AbortController();
  #isSuspended = false;
  #device = '';
  /** Changes of the device, one after another. */
  #changes: Promise<void> = Promise.resolve();

  private constructor(
    private readonly track: MediaStreamTrack,
    /** Whether Auricle opened the track, and so ends it. */
    private readonly isOwn: boolean,
    private readonly listener: CaptureListener,
  ) {}

  /** Begins to listen. Fails with `MicrophoneError` `suspended` where the browser has no audio at all. */
  static async start(track: MediaStreamTrack, isOwn: boolean, listener: CaptureListener): Promise<Capture> {
    const capture = new Capture(track, isOwn, listener);
    try {
      await capture.#connect();
    } catch (error) {
      capture.close();
      throw error instanceof MicrophoneError
        ? error
        : new MicrophoneError('suspended', `The browser does not run audio here: ${String(error)}. Try again.`, {}, { cause: error });
    }
    capture.#watch();
    return capture;
  }

  /** Ends listening, and the track if it is Auricle's. */
  close(): void {
    this.#closed.abort();
    this.#disconnect();
    if (this.isOwn) {
      this.track.stop();
    }
  }

  async #connect(): Promise<void> {
    // At the device's own rate: the Worker resamples, and better than some browsers do.
    const context = new AudioContext({ latencyHint: 'interactive' });
    try {
      await context.audioWorklet.addModule(new URL('../capture-worklet.js?no-inline', import.meta.url));
      this.#closed.signal.throwIfAborted();
      const worklet = new AudioWorkletNode(context, 'auricle-capture', {
        numberOfInputs: 1,
        numberOfOutputs: 0,
        // The browser mixes what has more channels.
        channelCount: 1,
        channelCountMode: 'explicit',
        channelInterpretation: 'speakers',
      });
      const source = context.createMediaStreamSource(new MediaStream([this.track]));
      const { port1, port2 } = new MessageChannel();
      worklet.port.postMessage(port1, [port1]);
      source.connect(worklet);
      worklet.onprocessorerror = () => this.#lost('The browser has stopped the audio.');
      context.onstatechange = () => this.#stateChanged(context);
      this.#graph = { context, source, worklet };
      this.#device = deviceOf(this.track);
      this.listener.onPort(port2, context.sampleRate);
      this.#stateChanged(context);
    } catch (error) {
      context.close().catch(() => {});
      throw error;
    }
  }

  #disconnect(): void {
    const graph = this.#graph;
    this.#graph = undefined;
    if (graph !== undefined) {
      graph.context.onstatechange = null;
      graph.worklet.onprocessorerror = null;
      graph.source.disconnect();
      graph.context.close().catch(() => {});
    }
  }

  #watch(): void {
    const { track, listener } = this;
    const until = { signal: this.#closed.signal };
    track.addEventListener('ended', () => this.#trackEnded(), until);
    track.addEventListener('mute', () => this.#notice('muted', MUTED), until);
    track.addEventListener('unmute', () => this.#notice('unmuted', 'The microphone is heard again.'), until);
    if (track.muted) {
      this.#notice('muted', MUTED);
    }
    navigator.mediaDevices?.addEventListener('devicechange', () => this.#deviceChanged(), until);
    for (const gesture of GESTURES) {
      document.addEventListener(gesture, () => this.#resume(), { ...until, capture: true, passive: true });
    }
    document.addEventListener('visibilitychange', () => this.#resume(), until);
    if (track.readyState === 'ended') {
      listener.onEnded();
    }
  }

  #trackEnded(): void {
    if (this.isOwn) {
      this.#lost('The microphone is gone: it was unplugged, or its permission taken back.');
      return;
    }
    this.#notice('source-ended', 'The track that was listened to has ended.');
    this.listener.onEnded();
  }

  #lost(message: string): void {
    if (!this.#closed.signal.aborted) {
      this.listener.onEnded(new MicrophoneError('lost', `${message} What was said until then is kept.`));
    }
  }

  #stateChanged(context: AudioContext): void {
    // `interrupted` is what iOS calls it when a call comes in.
    const state: string = context.state;
    if (state === 'closed') {
      this.#lost('The browser has ended the audio.');
    } else if (state === 'running') {
      if (this.#isSuspended) {
        this.#isSuspended = false;
        this.listener.onResumed();
        this.#notice('resumed', 'The browser lets the audio through again.');
      }
    } else if (!this.#isSuspended) {
      // A context begins suspended and runs at once where it may: only what stays so is told.
      context.resume().catch(() => {});
      void this.#suspended(context);
    }
  }

  async #suspended(context: AudioContext): Promise<void> {
    await settled(context, SUSPENDED_MS);
    const isStill = context.state !== 'running' && context.state !== 'closed' && this.#graph?.context === context;
    if (isStill && !this.#isSuspended) {
      this.#isSuspended = true;
      this.#notice('suspended', 'The browser holds the audio back: click on the page or press a key.');
    }
  }

  #resume(): void {
    const context = this.#graph?.context;
    if (context !== undefined && context.state !== 'running' && document.visibilityState === 'visible') {
      context.resume().catch(() => {});
    }
  }

  /** The track may go on with another device; where that has another rate, the context is made anew with it. */
  #deviceChanged(): void {
    // Two at once would leave the context of one of them open.
    this.#changes = this.#changes.then(() => this.#change());
  }

  async #change(): Promise<void> {
    const device = deviceOf(this.track);
    if (this.#closed.signal.aborted || this.track.readyState === 'ended' || device === this.#device) {
      return;
    }
    this.#device = device;
    this.#notice('device-changed', 'The audio goes on with another device.');
    this.#disconnect();
    try {
      await this.#connect();
    } catch {
      this.#lost('The other device cannot be heard.');
    }
  }

  #notice(code: NoticeCode, message: string): void {
    this.listener.onNotice({ code, message });
  }
}

const MUTED = 'The microphone is muted: by a switch on it, by the system or by another program.';

/** A context that has not begun to run by then waits for somebody. */
const SUSPENDED_MS = 500;

/** What of a track tells its device and rate. */
function deviceOf(track: MediaStreamTrack): string {
  const { deviceId, groupId, sampleRate } = track.getSettings();
  return JSON.stringify([deviceId, groupId, sampleRate]);
}

/** Resolves when a context runs, or after a while. */
function settled(context: AudioContext, ms: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms);
    function done(): void {
      clearTimeout(timer);
      context.removeEventListener('statechange', done);
      resolve();
    }
    context.addEventListener('statechange', done);
  });
}

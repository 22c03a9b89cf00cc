/** A microphone's track, or a typed error that says why there is none. */

import { unlessAborted } from '../abort.js';
import { MicrophoneError } from '../errors.js';
import type { ListenOptions } from '../types.js';

/** One voice is heard better as it is: what takes out noise takes out consonants too. */
const CONSTRAINTS: MediaTrackConstraints = {
  channelCount: { ideal: 1 },
  echoCancellation: { ideal: true },
  autoGainControl: { ideal: true },
  noiseSuppression: { ideal: false },
};

/** Asks for the microphone. Fails with `MicrophoneError`, and with the signal's reason. */
export async function openMicrophone(options: ListenOptions, signal: AbortSignal | undefined): Promise<MediaStreamTrack> {
  const { deviceId, constraints } = options;
  // Where the page is not secure, browsers have no `mediaDevices` at all.
  const devices = navigator.mediaDevices as MediaDevices | undefined;
  if (devices?.getUserMedia === undefined) {
    const message = 'Browsers give the microphone only to pages from https or localhost: serve the page so.';
    throw new MicrophoneError('insecure-context', message);
  }
  const audio = { ...CONSTRAINTS, ...(deviceId === undefined ? {} : { deviceId: { exact: deviceId } }), ...constraints };
  const asked = devices.getUserMedia({ audio });
  let stream: MediaStream;
  try {
    stream = await unlessAborted(asked, signal);
  } catch (error) {
    if (signal?.aborted) {
      // The user may still be thinking about it: what they give then is not wanted any more.
      asked.then((late) => late.getTracks().forEach((track) => track.stop())).catch(() => {});
      throw signal.reason;
    }
    throw microphoneError(error);
  }
  const [track] = stream.getAudioTracks();
  if (track === undefined) {
    throw new MicrophoneError('not-found', 'The browser gave no audio: connect a microphone.');
  }
  return track;
}

/** The track of what was given to `listen`. */
export function trackOf(source: MediaStreamTrack | MediaStream): MediaStreamTrack {
  const track = source instanceof MediaStream ? source.getAudioTracks()[0] : source;
  if (track === undefined || track.kind !== 'audio') {
    throw new MicrophoneError('not-found', 'There is no audio in what was given: give a track or stream that has some.');
  }
  if (track.readyState === 'ended') {
    throw new MicrophoneError('lost', 'The track has ended already: ask for a new one.');
  }
  return track;
}

function microphoneError(error: unknown): MicrophoneError {
  const name = (error as Partial<DOMException> | null)?.name;
  const options = { cause: error };
  switch (name) {
    case 'NotAllowedError':
    case 'SecurityError':
      return new MicrophoneError(
        'permission-denied',
        "The microphone is not allowed: allow it for this page, in the browser's address bar or in the system's settings.",
        {},
        options,
      );
    case 'NotFoundError':
    case 'OverconstrainedError':
      return new MicrophoneError('not-found', 'There is no such microphone: connect it, or choose another one.', {}, options);
    case 'NotReadableError':
    case 'AbortError':
      return new MicrophoneError(
        'in-use',
        'The system does not give the microphone: close other programs that use it, or connect it again.',
        {},
        options,
      );
    default:
      return new MicrophoneError('not-found', `The microphone cannot be opened: ${String(error)}.`, {}, options);
  }
}

/** Notices and errors, each with what to do about it, over the lower corner of the page: they move nothing. */

import { AuricleError, type Notice } from '../dist/index.js';
import { create, element } from './dom.js';

/** What a button in a notice does. */
export interface Action {
  label: string;
  run: () => void;
}

const TITLES: Record<string, string> = {
  'permission-denied': 'The microphone is blocked',
  'insecure-context': 'No microphone on an insecure page',
  'not-found': 'No microphone found',
  'in-use': 'The microphone is in use',
  lost: 'The microphone is gone',
  'too-far-behind': 'This device is too slow',
  'quota-exceeded': 'There is no room for the model',
  'storage-unavailable': 'This browser does not store anything',
  undecodable: 'This recording cannot be read',
};

const CLASS_TITLES: Record<string, string> = {
  ModelError: 'The model cannot be used',
  DownloadError: 'The model was not downloaded',
  StoreError: 'The browser’s storage failed',
  AudioError: 'This audio cannot be used',
  MicrophoneError: 'The microphone cannot be heard',
  CapabilityError: 'This device cannot do it',
  EngineError: 'The engine failed',
};

/** Notices that only say that an earlier one is over, and which. */
const ENDS: Partial<Record<Notice['code'], Notice['code']>> = {
  unmuted: 'muted',
  'caught-up': 'behind',
  resumed: 'suspended',
};

/** Notices that need no reader: the page works as before, or shows it elsewhere. */
const SILENT: ReadonlySet<Notice['code']> = new Set(['economical', 'eager', 'source-ended']);

const region = element('notices', HTMLElement);

/** Shows what the engine or the store has to say. */
export function showNotice(notice: Notice): void {
  const ended = ENDS[notice.code];
  if (ended !== undefined) {
    remove(ended);
  } else if (!SILENT.has(notice.code)) {
    show(notice.code, 'status', '', notice.message);
  }
}

/** Shows what went wrong. */
export function showError(error: unknown, action?: Action): void {
  if (error instanceof AuricleError) {
    show(error.code, 'alert', TITLES[error.code] ?? CLASS_TITLES[error.name] ?? 'It failed', error.message, action);
  } else {
    const message = error instanceof Error ? error.message : String(error);
    show('unexpected', 'alert', 'Something unexpected happened', `${message}. Reload the page to go on.`, action);
  }
}

/** Shows one notice under this key, in place of an earlier one of the same. */
export function show(key: string, role: 'status' | 'alert', title: string, message: string, action?: Action): void {
  remove(key);
  const notice = create('div', role === 'alert' ? 'notice error' : 'notice');
  notice.dataset['key'] = key;
  notice.setAttribute('role', role);
  if (title !== '') {
    notice.append(create('p', 'title', title));
  }
  notice.append(create('p', '', message));
  const dismiss = create('button', 'small dismiss', '×');
  dismiss.setAttribute('aria-label', 'Dismiss');
  dismiss.type = 'button';
  dismiss.addEventListener('click', () => notice.remove());
  notice.append(dismiss);
  if (action !== undefined) {
    const button = create('button', 'small act', action.label);
    button.type = 'button';
    button.addEventListener('click', () => {
      notice.remove();
      action.run();
    });
    notice.append(button);
  }
  region.append(notice);
}

/** Takes the notice of this key away. */
export function remove(key: string): void {
  for (const notice of region.querySelectorAll<HTMLElement>('.notice')) {
    if (notice.dataset['key'] === key) {
      notice.remove();
    }
  }
}

/** Takes the errors away: a new attempt has begun. */
export function removeErrors(): void {
  for (const notice of region.querySelectorAll('.notice.error')) {
    notice.remove();
  }
}

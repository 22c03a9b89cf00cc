/** The service worker, which keeps the page's own files. Without one (insecure page, private window) all else works. */

import * as notices from './notices.js';

/** What the service worker says of the page's files. The same in `service-worker/sw.ts`. */
export interface ShellReport {
  version: string;
  /** How many files the page has. */
  files: number;
  /** How many of them are stored, with the digests they were published with. */
  stored: number;
}

/** So long, and the service worker does not answer any more. It may have to be started first, on a busy machine. */
const NO_ANSWER_MS = 10_000;

/** Whether the visitor has asked this tab for the new version. */
let wished = false;

/** Registers it. `changed` is called whenever `shellReport` may say something new. */
export async function keepShell(changed: () => void): Promise<void> {
  const container = navigator.serviceWorker;
  if (container === undefined) {
    return;
  }
  let hadController = container.controller !== null;
  container.addEventListener('controllerchange', () => {
    // Another version has taken over: here, as the visitor wished, or in another tab, and this one may be at work.
    if (wished) {
      location.reload();
    } else if (hadController) {
      offer(() => location.reload());
    }
    hadController = true;
    changed();
  });
  const registration = await container.register(new URL('sw.js', document.baseURI));
  offerUpdate(registration);
  registration.addEventListener('updatefound', () => {
    const installing = registration.installing;
    installing?.addEventListener('statechange', () => {
      offerUpdate(registration);
      changed();
    });
  });
}

/** Asks the service worker that is in control; nothing where there is none, or where it does not answer. */
export function shellReport(): Promise<ShellReport | undefined> {
  const controller = navigator.serviceWorker?.controller;
  if (controller == null) {
    return Promise.resolve(undefined);
  }
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    const answer = (report?: ShellReport): void => {
      clearTimeout(waiting);
      port1.close();
      resolve(report);
    };
    const waiting = setTimeout(answer, NO_ANSWER_MS);
    port1.onmessage = ({ data }: MessageEvent<ShellReport>) => answer(data);
    controller.postMessage('shell', [port2]);
  });
}

function offerUpdate({ waiting, active }: ServiceWorkerRegistration): void {
  if (waiting !== null && active !== null) {
    offer(() => {
      wished = true;
      waiting.postMessage('skip-waiting');
    });
  }
}

function offer(reload: () => void): void {
  const action = { label: 'Reload', run: reload };
  notices.show('update', 'status', 'There is a new version of this page', 'What is on it now is lost by reloading.', action);
}

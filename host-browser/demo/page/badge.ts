/** The badge that says that nothing leaves this browser: shown only once that was looked into, with what was looked at. */

import { create, element } from './dom.js';
import type { ShellReport } from './shell.js';
import { megabytes } from './units.js';

/** What was found. */
export interface Findings {
  /** The loaded model, if it is stored; its digest is compared whenever it is loaded. */
  model: { title: string; bytes: number } | undefined;
  /** What the service worker says of the page's files. */
  shell: ShellReport | undefined;
  /** Whether the browser has promised not to delete any of it by itself. */
  persisted: boolean;
}

const badge = element('badge', HTMLDetailsElement);

// What it opens lies over the page: it closes as such things do.
addEventListener('pointerdown', ({ target }) => {
  badge.open &&= target instanceof Node && badge.contains(target);
});
addEventListener('keydown', ({ key }) => {
  if (key === 'Escape' && badge.open) {
    badge.open = false;
    badge.querySelector('summary')?.focus();
  }
});

/** Shows the badge if all of it holds, and hides it otherwise. */
export function showBadge({ model, shell, persisted }: Findings): void {
  const complete = shell !== undefined && shell.stored === shell.files;
  badge.hidden = model === undefined || !complete || !connectsOnlyHere();
  if (model === undefined || shell === undefined) {
    return;
  }
  const checks = [
    `${model.title}, ${megabytes(model.bytes)}: stored here, and its SHA-256 is the published one.`,
    `This page, ${shell.files} files: all stored, with their SHA-256 (version ${shell.version.slice(0, 8)}).`,
    'This page’s policy lets it connect to its own site only, and no server is set up to transcribe.',
  ];
  if (persisted) {
    checks.push('The browser has promised not to delete any of it by itself.');
  }
  element('badge-checks', HTMLElement).replaceChildren(...checks.map((text) => create('li', '', text)));
}

/** Whether the policy in the page itself, which holds whatever the server sends, allows no other site. */
function connectsOnlyHere(): boolean {
  const policy = document.querySelector<HTMLMetaElement>('meta[http-equiv="Content-Security-Policy"]')?.content ?? '';
  const directives = policy.split(';').map((directive) => directive.trim());
  return directives.includes("connect-src 'self'") && directives.includes("default-src 'self'");
}

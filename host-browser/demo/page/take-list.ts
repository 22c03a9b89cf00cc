/** All takes of this visit, of which one is shown, and can be copied and saved. */

import { element, setText } from './dom.js';
import * as notices from './notices.js';
import { copy, save, type Format } from './save.js';
import type { Take } from './takes.js';
import { TranscriptView } from './transcript-view.js';

const COPIED_MS = 2_000;

export class TakeList {
  readonly #takes: Take[] = [];
  readonly #view = new TranscriptView();
  readonly #row = element('takes', HTMLElement);
  readonly #select = element('take', HTMLSelectElement);
  readonly #copy = element('copy', HTMLButtonElement);
  readonly #saves = document.querySelectorAll<HTMLButtonElement>('button[data-format]');
  #shown: Take | undefined;

  constructor() {
    this.#select.addEventListener('change', () => this.#show(this.#takes[this.#select.selectedIndex]));
    this.#copy.addEventListener('click', () => void this.#copyShown());
    for (const button of this.#saves) {
      button.addEventListener('click', () => {
        if (this.#shown !== undefined) {
          save(this.#shown.transcript, this.#shown.fileName, button.dataset['format'] as Format);
        }
      });
    }
  }

  /** Shows a new take. */
  add(take: Take): void {
    this.#takes.push(take);
    this.#select.add(new Option(take.title));
    this.#select.selectedIndex = this.#takes.length - 1;
    this.#row.hidden = this.#takes.length < 2;
    this.#show(take);
  }

  /** Shows what has changed in a take, if it is the one that is shown, as a new one is. */
  update(take: Take): void {
    if (!this.#takes.includes(take)) {
      this.add(take);
    } else if (take === this.#shown) {
      this.#view.update();
      this.#enable();
    }
  }

  #show(take: Take | undefined): void {
    if (take !== undefined) {
      this.#shown = take;
      this.#view.show(take);
      this.#enable();
    }
  }

  #enable(): void {
    const nothing = this.#shown === undefined || this.#shown.lines.length === 0;
    for (const button of [this.#copy, ...this.#saves]) {
      button.disabled = nothing;
    }
  }

  async #copyShown(): Promise<void> {
    if (this.#shown === undefined) {
      return;
    }
    try {
      await copy(this.#shown.transcript);
    } catch {
      notices.show('copy', 'alert', 'Nothing was copied', 'The browser did not allow it. Save the text as TXT instead.');
      return;
    }
    setText(this.#copy, 'Copied');
    setTimeout(() => setText(this.#copy, 'Copy'), COPIED_MS);
  }
}

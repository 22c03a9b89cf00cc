/** The list of microphones. Browsers tell their names only once one was allowed. */

import { create } from './dom.js';

export class MicrophonePicker {
  readonly #select: HTMLSelectElement;

  constructor(select: HTMLSelectElement) {
    this.#select = select;
    // There are none on an insecure page.
    navigator.mediaDevices?.addEventListener('devicechange', () => void this.refresh());
    void this.refresh();
  }

  /** The one that is chosen; nothing for the default one. */
  get deviceId(): string | undefined {
    return this.#select.value === '' ? undefined : this.#select.value;
  }

  /** It takes effect at the start: while listening there is nothing to choose. */
  set locked(locked: boolean) {
    this.#select.disabled = locked;
  }

  /** Lists what there is now, and keeps what was chosen if it is still there. */
  async refresh(): Promise<void> {
    const devices = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
    const chosen = this.#select.value;
    const options = [create('option', '', 'Default')];
    for (const { kind, deviceId, label } of devices) {
      // Chromium lists the default a second time, as `default`; without permission, ids are empty.
      if (kind === 'audioinput' && deviceId !== '' && deviceId !== 'default' && deviceId !== 'communications') {
        const option = create('option', '', label === '' ? `Microphone ${options.length}` : label);
        option.value = deviceId;
        options.push(option);
      }
    }
    options[0]!.value = '';
    this.#select.replaceChildren(...options);
    this.#select.value = options.some(({ value }) => value === chosen) ? chosen : '';
  }
}

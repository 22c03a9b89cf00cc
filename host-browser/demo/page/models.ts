/** Which model, what it is, and whether this browser has it. */

import { CATALOG, type CatalogModel, type StoreKind } from '../dist/index.js';
import { create, element, setText } from './dom.js';
import { languageName, megabytes, millions } from './units.js';

/** What is known of a model's file. */
export type Kept =
  | { state: 'absent' }
  /** Whole, and verified when it was stored. */
  | { state: 'stored' }
  /** A download that was cut: it goes on where it ended. */
  | { state: 'part'; bytes: number }
  /** Loaded: its digest was compared just now. */
  | { state: 'verified'; store: StoreKind };

export class ModelPanel {
  readonly #choices = element('models', HTMLFieldSetElement);
  readonly #stored = element('stored', HTMLElement);
  readonly #delete = element('delete', HTMLButtonElement);
  #chosen = CATALOG[0] as CatalogModel;

  /** @param changed called when another model is chosen */
  constructor(changed: () => void, remove: () => void) {
    for (const model of CATALOG) {
      this.#choices.append(this.#choice(model, changed));
    }
    this.#delete.addEventListener('click', remove);
  }

  get chosen(): CatalogModel {
    return this.#chosen;
  }

  /** While a model is at work, none can be chosen or deleted. */
  set locked(locked: boolean) {
    this.#choices.disabled = locked;
    this.#delete.disabled = locked;
  }

  /** Shows what this browser has of the chosen model. */
  show(kept: Kept): void {
    setText(this.#stored, describe(kept, this.#chosen));
    this.#delete.hidden = kept.state === 'absent' || (kept.state === 'verified' && kept.store === 'memory');
  }

  #choice(model: CatalogModel, changed: () => void): HTMLLabelElement {
    const input = create('input');
    input.type = 'radio';
    input.name = 'model';
    input.value = model.name;
    input.checked = model === this.#chosen;
    input.addEventListener('change', () => {
      this.#chosen = model;
      changed();
    });
    const facts = [`${millions(model.parameters)} weights`, `${model.license} licence`, ...model.languages.map(languageName)];
    const label = create('label');
    label.append(
      input,
      // The languages stand among the facts.
      create('span', '', model.title.replace(/ \(.*\)$/, '')),
      create('span', 'bytes', megabytes(model.bytes)),
      create('span', 'facts', facts.reverse().join(' · ')),
    );
    return label;
  }
}

function describe(kept: Kept, model: CatalogModel): string {
  switch (kept.state) {
    case 'absent':
      return 'Not on this device yet';
    case 'stored':
      return 'On this device';
    case 'part':
      return `${megabytes(kept.bytes)} of ${megabytes(model.bytes)} on this device`;
    case 'verified':
      return kept.store === 'memory' ? 'Here until the page is closed' : 'On this device, verified';
  }
}

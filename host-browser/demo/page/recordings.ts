/** Files: dropped anywhere on the page, chosen, pasted; and a sample for those who have none at hand. */

import { element } from './dom.js';

/** Where the sample lies, beside the page. */
const SAMPLE = { path: 'samples/jfk.wav', name: 'John F. Kennedy, 1961.wav' };

/** Calls `take` with what the visitor gives. */
export function offerRecordings(take: (files: readonly File[]) => void, failed: (error: unknown) => void): void {
  const input = element('file', HTMLInputElement);
  element('choose', HTMLButtonElement).addEventListener('click', () => input.click());
  input.addEventListener('change', () => {
    take([...(input.files ?? [])]);
    // So that the same file can be chosen again.
    input.value = '';
  });

  for (const button of document.querySelectorAll('button[data-sample]')) {
    button.addEventListener('click', () => void sample().then((file) => take([file]), failed));
  }

  const veil = element('veil', HTMLElement);
  // `dragenter` and `dragleave` come for every element that is passed: what counts is how many are still entered.
  let entered = 0;
  const over = (by: number) => {
    entered = Math.max(0, entered + by);
    veil.hidden = entered === 0;
  };
  addEventListener('dragenter', (event) => hasFiles(event) && over(1));
  addEventListener('dragleave', (event) => hasFiles(event) && over(-1));
  addEventListener('dragover', (event) => hasFiles(event) && event.preventDefault());
  addEventListener('drop', (event) => {
    if (hasFiles(event)) {
      event.preventDefault();
      entered = 0;
      veil.hidden = true;
      take([...(event.dataTransfer?.files ?? [])]);
    }
  });
  addEventListener('paste', (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length > 0) {
      take(files);
    }
  });
}

function hasFiles(event: DragEvent): boolean {
  return event.dataTransfer?.types.includes('Files') ?? false;
}

async function sample(): Promise<File> {
  const response = await fetch(new URL(SAMPLE.path, document.baseURI));
  if (!response.ok) {
    throw new Error(`The sample is not there (${response.status})`);
  }
  return new File([await response.blob()], SAMPLE.name);
}

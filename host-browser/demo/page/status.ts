/** The line below the start button: what the page is doing, and how far it is. */

import type { LoadProgress, TranscribeProgress } from '../dist/index.js';
import { element, setText } from './dom.js';
import { clock, megabytes } from './units.js';

const text = element('status', HTMLElement);
const figures = element('progress-figures', HTMLElement);
const bar = element('progress', HTMLProgressElement);

/** Says this, with nothing under way. */
export function say(message: string): void {
  setText(text, message);
  setText(figures, '');
  bar.hidden = true;
}

/** The same under a condition. */
export function sayIf(condition: boolean, message: string): void {
  if (condition) {
    say(message);
  }
}

/** Shows how far loading is. */
export function showLoading(progress: LoadProgress): void {
  setText(text, phase(progress));
  setText(figures, progress.phase === 'download' && progress.source !== 'store' ? bytes(progress) : '');
  showBar('Loading the model', progress.fraction);
}

/** Shows how far the transcription of a recording is. */
export function showTranscribing(name: string, { processedS, durationS, fraction }: TranscribeProgress): void {
  setText(text, `Transcribing ${name}`);
  setText(figures, `${clock(processedS)} of ${clock(durationS)}`);
  showBar('Transcribing', fraction);
}

function showBar(label: string, fraction: number): void {
  bar.setAttribute('aria-label', label);
  bar.value = fraction;
  bar.hidden = false;
}

function phase({ phase, source }: LoadProgress): string {
  switch (phase) {
    case 'download':
      return {
        network: 'Downloading the model, this once',
        store: 'Reading the model from this browser’s storage',
        'other-tab': 'Another tab is downloading the model',
      }[source];
    case 'verify':
      return 'Comparing its SHA-256';
    case 'compile':
      return 'Compiling the engine';
    case 'load':
      return 'Making the model ready';
  }
}

function bytes({ loadedBytes, totalBytes, bytesPerSecond }: LoadProgress): string {
  const rate = bytesPerSecond > 0 ? ` · ${megabytes(bytesPerSecond)}/s` : '';
  return `${(loadedBytes / 1e6).toFixed(1)} of ${megabytes(totalBytes)}${rate}`;
}

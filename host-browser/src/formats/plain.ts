/** Plain text and tab-separated values. */

import { milliseconds, strip } from './python.js';
import type { Written } from './written.js';

export function txt({ segments }: Written): string {
  return segments.map(({ text }) => `${strip(text)}\n`).join('');
}

export function tsv({ segments }: Written): string {
  const lines = segments.map(({ startS, endS, text }) => {
    return `${milliseconds(startS)}\t${milliseconds(endS)}\t${strip(text).replaceAll('\t', ' ')}\n`;
  });
  return `start\tend\ttext\n${lines.join('')}`;
}

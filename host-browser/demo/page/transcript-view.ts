/** Shows one take: its finished lines, and below them the words that are being spoken. */

import type { Segment } from '../dist/index.js';
import { create, element, setText } from './dom.js';
import type { Line, Take } from './takes.js';
import { clock, milliseconds } from './units.js';

/** How far from its end, in pixels, the transcript still counts as scrolled to it. */
const NEAR_PX = 48;

export class TranscriptView {
  readonly #scroller = element('transcript', HTMLElement);
  readonly #log = element('log', HTMLElement);
  readonly #lines = element('segments', HTMLOListElement);
  readonly #empty = element('empty', HTMLElement);
  readonly #live = element('live', HTMLElement);
  readonly #liveTime = element('live-time', HTMLElement);
  readonly #liveSettled = element('live-settled', HTMLElement);
  readonly #liveUnsettled = element('live-unsettled', HTMLElement);
  readonly #duration = element('figure-duration', HTMLElement);
  readonly #latency = element('figure-latency', HTMLElement);
  readonly #factor = element('figure-factor', HTMLElement);
  #take: Take | undefined;
  /** Whether the end of the transcript is in sight, and is to stay so. */
  #follows = true;

  constructor() {
    this.#scroller.addEventListener('scroll', () => {
      const { scrollTop, scrollHeight, clientHeight } = this.#scroller;
      this.#follows = scrollHeight - clientHeight - scrollTop < NEAR_PX;
    });
    new ResizeObserver(() => this.#follow()).observe(this.#scroller);
  }

  /** Shows another take, from the beginning. */
  show(take: Take): void {
    this.#take = take;
    // Nobody wants the lines of an earlier take read out again.
    this.#log.setAttribute('aria-live', 'off');
    this.#lines.replaceChildren(...take.lines.map(row));
    this.#log.setAttribute('aria-live', 'polite');
    this.#follows = true;
    this.update();
  }

  #follow(): void {
    if (this.#follows) {
      this.#scroller.scrollTop = this.#scroller.scrollHeight;
    }
  }

  /** Shows what has changed in the take. */
  update(): void {
    const take = this.#take;
    if (take === undefined) {
      return;
    }
    for (const line of take.lines.slice(this.#lines.childElementCount)) {
      this.#lines.append(row(line));
    }
    this.#showLive(take.live);
    this.#empty.hidden = take.lines.length > 0 || take.live !== undefined;
    setText(this.#duration, take.durationS > 0 ? clock(take.durationS) : '–');
    setText(this.#latency, take.latencyMs === undefined ? '–' : milliseconds(take.latencyMs));
    setText(this.#factor, take.realTimeFactor?.toFixed(2) ?? '–');
    this.#follow();
  }

  #showLive(segment: Segment | undefined): void {
    this.#live.hidden = segment === undefined;
    if (segment !== undefined) {
      const text = (words: Segment['words']) => words.map((word) => word.text).join(' ');
      const settled = text(segment.words.slice(0, segment.settledWords));
      const unsettled = text(segment.words.slice(segment.settledWords));
      setText(this.#liveTime, clock(segment.startS));
      setText(this.#liveSettled, settled === '' || unsettled === '' ? settled : `${settled} `);
      setText(this.#liveUnsettled, unsettled);
    }
  }
}

function row({ segment, latencyMs }: Line): HTMLLIElement {
  const row = create('li', 'segment');
  const time = create('span', 'time', clock(segment.startS));
  time.title = `${segment.startS.toFixed(2)} s to ${segment.endS.toFixed(2)} s`;
  const words = create('p', 'words', segment.text);
  const latency = create('span', 'latency', latencyMs === undefined ? '' : milliseconds(latencyMs));
  if (segment.guards.length > 0) {
    words.append(' ', doubt('doubtful', `The engine had to hold back text here: ${segment.guards.join(', ')}`));
  }
  if (segment.source === 'server') {
    words.append(' ', doubt('from a server', 'This text was not made on this device'));
  }
  row.append(time, words, latency);
  return row;
}

function doubt(text: string, title: string): HTMLElement {
  const tag = create('span', 'tag', text);
  tag.title = title;
  return tag;
}

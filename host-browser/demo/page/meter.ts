/** How loud it is: the last seconds as bars, or one bar where motion is not wanted. Twenty levels a second come in. */

const BAR_PX = 3;
const STEP_PX = 5;
/** What is shown as nothing, in decibels below full scale. */
const FLOOR_DB = -54;
/** Decibels alone make all speech look alike. */
const CONTRAST = 1.8;

export class Meter {
  readonly #canvas: HTMLCanvasElement;
  readonly #context: CanvasRenderingContext2D;
  readonly #still = matchMedia('(prefers-reduced-motion: reduce)');
  #heights: number[] = [];
  #active = false;
  #colours = { on: '', off: '' };

  constructor(canvas: HTMLCanvasElement) {
    this.#canvas = canvas;
    this.#context = canvas.getContext('2d') as CanvasRenderingContext2D;
    new ResizeObserver(() => this.#resize()).observe(canvas);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.#resize());
    this.#still.addEventListener('change', () => this.#draw());
  }

  /** Takes the peak since the last one, from 0 to 1. */
  push(peak: number): void {
    this.#active = true;
    const level = Math.max(0, 1 - (20 * Math.log10(Math.max(peak, 1e-6))) / FLOOR_DB);
    this.#heights.push(Math.min(1, level ** CONTRAST));
    this.#heights.splice(0, this.#heights.length - Math.ceil(this.#canvas.clientWidth / STEP_PX));
    this.#draw();
  }

  /** Nothing is heard any more. */
  clear(): void {
    this.#active = false;
    this.#heights = [];
    this.#draw();
  }

  #resize(): void {
    const style = getComputedStyle(document.documentElement);
    this.#colours = { on: style.getPropertyValue('--accent'), off: style.getPropertyValue('--line') };
    this.#canvas.width = Math.round(this.#canvas.clientWidth * devicePixelRatio);
    this.#canvas.height = Math.round(this.#canvas.clientHeight * devicePixelRatio);
    this.#context.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
    this.#draw();
  }

  #draw(): void {
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    this.#context.clearRect(0, 0, width, height);
    if (this.#still.matches) {
      this.#bar(0, height / 2 - 4, width, 8, this.#colours.off);
      this.#bar(0, height / 2 - 4, width * (this.#heights.at(-1) ?? 0), 8, this.#colours.on);
      return;
    }
    const bars = Math.floor(width / STEP_PX);
    for (let index = 0; index < bars; index += 1) {
      // The newest is on the right.
      const level = this.#heights[this.#heights.length - bars + index];
      const tall = Math.max(BAR_PX, (level ?? 0) * height * 0.92);
      const on = this.#active && level !== undefined;
      this.#bar(index * STEP_PX, (height - tall) / 2, BAR_PX, tall, on ? this.#colours.on : this.#colours.off);
    }
  }

  #bar(x: number, y: number, width: number, height: number, colour: string): void {
    if (width <= 0) {
      return;
    }
    this.#context.fillStyle = colour;
    this.#context.beginPath();
    this.#context.roundRect(x, y, width, height, Math.min(width, height) / 2);
    this.#context.fill();
  }
}

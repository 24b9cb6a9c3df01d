import { note, status } from './print.ts';

/** Letters of the bar. */
const BAR = 24;

/** Shows how far a list of images is: a bar with rate and time left on a terminal, a line per image elsewhere. */
export class Counter {
  readonly #total: number | undefined;
  readonly #unit: string;
  readonly #every: number;
  readonly #begin = performance.now();
  #next = 0;
  #done = 0;

  /**
   * @param total undefined when nobody knows the end
   * @param every seconds between two lines of a log; 0 has a line for each
   */
  constructor(total: number | undefined, unit = 'images', every = 0) {
    this.#total = total;
    this.#unit = unit;
    this.#every = every;
  }

  /** One more is done. `line` is what a log should have of it. */
  done(line: string): void {
    this.#done++;
    const now = performance.now();
    if (process.stderr.isTTY) return status(this.text());
    if (now < this.#next && this.#done !== this.#total) return;
    this.#next = now + 1000 * this.#every;
    note(`${this.#done}${this.#total === undefined ? '' : `/${this.#total}`} ${line}`);
  }

  /** `▇▇▇▇────  12/40  3.1 images/s  0:09 left`. */
  text(seconds: number = (performance.now() - this.#begin) / 1000): string {
    const rate = this.#done / Math.max(1e-9, seconds);
    const speed = `${rate < 10 ? rate.toFixed(1) : Math.round(rate)} ${this.#unit}/s`;
    if (this.#total === undefined) return `${this.#done} ${this.#unit}  ${speed}`;
    const full = Math.round((BAR * this.#done) / Math.max(1, this.#total));
    const bar = '▇'.repeat(Math.min(BAR, full)).padEnd(BAR, '─');
    return `${bar}  ${this.#done}/${this.#total}  ${speed}  ${clock((this.#total - this.#done) / rate)} left`;
  }
}

function clock(seconds: number): string {
  if (!Number.isFinite(seconds)) return '?';
  const whole = Math.max(0, Math.round(seconds));
  const minutes = Math.floor(whole / 60) % 60;
  const tail = `${String(minutes).padStart(whole >= 3600 ? 2 : 1, '0')}:${String(whole % 60).padStart(2, '0')}`;
  return whole >= 3600 ? `${Math.floor(whole / 3600)}:${tail}` : tail;
}

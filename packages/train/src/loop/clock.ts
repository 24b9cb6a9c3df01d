import type { StepReport } from './events.ts';

/** Steps that tell how long the rest will take: many enough to be even, few enough to forget a slow beginning. */
const RECENT = 50;

/** Times of the step that runs, and how long the rest will take. */
export class Clock {
  readonly #now: () => number;
  /** When the last steps ended, the oldest first; in the beginning, when it all began. */
  readonly #ends: number[];
  readonly #steps: number;
  #done = 0;
  #stepBegin = 0;
  #dataEnd = 0;

  /**
   * @param steps to go
   * @param now milliseconds
   */
  constructor(steps: number, now: () => number = () => performance.now()) {
    this.#now = now;
    this.#ends = [now()];
    this.#steps = steps;
  }

  beginStep(): void {
    this.#stepBegin = this.#now();
  }

  haveData(): void {
    this.#dataEnd = this.#now();
  }

  endStep(): Pick<StepReport, 'dataTime' | 'stepTime' | 'eta'> {
    const now = this.#now();
    this.#done++;
    this.#ends.push(now);
    // The first step makes engines ready: it says nothing of the others.
    if (this.#ends.length > RECENT || this.#done === 2) this.#ends.shift();
    const each = (now - this.#ends[0]!) / (this.#ends.length - 1);
    return {
      dataTime: (this.#dataEnd - this.#stepBegin) / 1000,
      stepTime: (now - this.#stepBegin) / 1000,
      eta: (each / 1000) * (this.#steps - this.#done),
    };
  }
}

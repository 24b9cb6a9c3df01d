import { type Budget, PickleProblem } from './values.ts';

/** How much one pickle may ask for before it is refused. Real checkpoints stay far below. */
export const PICKLE_LIMITS: Readonly<
  Record<'steps' | 'memory' | 'stack' | 'memo' | 'text' | 'bytes' | 'digits', number>
> = {
  /** Opcodes, and the values that a call copies. */
  steps: 1e7,
  /** What the values take in memory, estimated in bytes: a pickle of one-byte opcodes makes a hundred times its size. */
  memory: 192 << 20,
  stack: 1e5,
  memo: 1e6,
  /** Bytes in one text. */
  text: 1 << 20,
  /** In one byte string, which is not copied; arrays of numpy are such. */
  bytes: 2 ** 30,
  /** Digits in one number. */
  digits: 256,
};

/** About what a value takes in V8, in bytes, beside what it holds. */
export const BYTES = {
  text: 32,
  number: 48,
  bytes: 128,
  sequence: 128,
  item: 8,
  dict: 320,
  entry: 56,
  memo: 48,
} as const;

/** Adds up the work and the memory of reading one pickle. */
export class PickleMeter implements Budget {
  #steps = 0;
  #memory = 0;

  spend(steps: number): void {
    this.#steps += steps;
    if (this.#steps > PICKLE_LIMITS.steps) overBudget('steps', PICKLE_LIMITS.steps);
  }

  hold(bytes: number): void {
    this.#memory += bytes;
    if (this.#memory > PICKLE_LIMITS.memory) overBudget('bytes of memory for its values', PICKLE_LIMITS.memory);
  }
}

/** @throws PickleProblem BUDGET_EXCEEDED */
export function overBudget(what: string, limit: number): never {
  throw new PickleProblem(`more than ${limit} ${what}`, 'BUDGET_EXCEEDED');
}

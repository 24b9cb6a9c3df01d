import { Memo } from './memo.ts';
import { BYTES, overBudget, PICKLE_LIMITS } from './meter.ts';
import { type Budget, PickleProblem, type PickleValue } from './values.ts';

const MARK = Symbol('mark');

/** What an unpickler has in hand: a stack of values with marks between, and a memo of values to come back to. */
export class PickleStack {
  readonly #slots: (PickleValue | typeof MARK)[] = [];
  readonly #memo = new Memo();
  readonly #budget: Budget;

  constructor(budget: Budget) {
    this.#budget = budget;
  }

  push(value: PickleValue): void {
    this.#put(value);
  }

  mark(): void {
    this.#put(MARK);
  }

  top(): PickleValue {
    const value = this.#slots.at(-1);
    if (value === undefined || value === MARK) throw new PickleProblem('the stack is empty');
    return value;
  }

  pop(): PickleValue {
    const value = this.top();
    this.#slots.pop();
    return value;
  }

  /** The topmost values in the order in which they came. */
  popMany(count: number): PickleValue[] {
    const values = Array.from({ length: count }, () => this.pop());
    return values.reverse();
  }

  /** All above the last mark, and the mark. */
  popMark(): PickleValue[] {
    const mark = this.#slots.lastIndexOf(MARK);
    if (mark < 0) throw new PickleProblem('a mark is missing');
    const values = this.#slots.splice(mark + 1) as PickleValue[];
    this.#slots.pop();
    return values;
  }

  /** Takes away the top, which may be a mark here. */
  drop(): void {
    if (this.#slots.pop() === undefined) throw new PickleProblem('the stack is empty');
  }

  /** Puts the top into the memo; without a number, under the next one. */
  memoize(index: number = this.#memo.size): void {
    if (this.#memo.size >= PICKLE_LIMITS.memo) overBudget('memo entries', PICKLE_LIMITS.memo);
    this.#budget.hold(BYTES.memo);
    this.#memo.set(index, this.top());
  }

  recall(index: number): void {
    const value = this.#memo.get(index);
    if (value === undefined) throw new PickleProblem(`memo entry ${index} is missing`);
    this.push(value);
  }

  #put(slot: PickleValue | typeof MARK): void {
    if (this.#slots.length >= PICKLE_LIMITS.stack) overBudget('values on the stack', PICKLE_LIMITS.stack);
    this.#slots.push(slot);
  }
}

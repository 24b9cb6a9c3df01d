import type { PickleValue } from './values.ts';

/**
 * Values by the numbers that a pickle gives them. Picklers count from 0, so these lie in a row: a map of them would be read
 * all over the memory, and a large pickle three times as slowly as a small one. Numbers out of that order are kept apart,
 * for the first of them might be four thousand million.
 */
export class Memo {
  readonly #row: PickleValue[] = [];
  readonly #others = new Map<number, PickleValue>();

  /** How many numbers are taken. */
  get size(): number {
    return this.#row.length + this.#others.size;
  }

  get(index: number): PickleValue | undefined {
    return this.#isInRow(index) ? this.#row[index] : this.#others.get(index);
  }

  set(index: number, value: PickleValue): void {
    if (this.#isInRow(index)) this.#row[index] = value;
    else if (index === this.#row.length) {
      this.#others.delete(index);
      this.#row.push(value);
    } else this.#others.set(index, value);
  }

  #isInRow(index: number): boolean {
    return index >= 0 && index < this.#row.length;
  }
}

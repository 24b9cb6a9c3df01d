import type { Keypoints } from './columns.ts';
import { Numbers } from './growable.ts';

/** Gathers the keypoints of rows. A row without any takes no room: its values are one block for all such rows. */
export class KeypointColumns {
  readonly #values = new Numbers();
  readonly #blocks = new Numbers();
  #points = 0;
  #count = 1; // block 0 belongs to the rows without keypoints

  /** Adds a row. Gives what is wrong with it, if anything is. */
  add(keypoints: readonly number[]): string | undefined {
    if (keypoints.length === 0) {
      this.#blocks.push(0);
      return undefined;
    }
    if (this.#points === 0) this.#points = keypoints.length / 3;
    if (keypoints.length % 3 !== 0) return 'keypoints are triples: x, y, and visibility or score';
    if (keypoints.length !== 3 * this.#points) return `expected ${3 * this.#points} numbers as before`;
    for (const value of keypoints) this.#values.push(value);
    this.#blocks.push(this.#count++);
    return undefined;
  }

  /** Adds rows without keypoints. */
  addNone(rows: number): void {
    this.#blocks.appendMany(0, rows);
  }

  /** @param absent what the rows without keypoints have */
  finish(absent: number): Keypoints | undefined {
    if (this.#points === 0) return undefined;
    const values = new Float64Array(3 * this.#points * this.#count).fill(absent, 0, 3 * this.#points);
    values.set(this.#values.view(), 3 * this.#points);
    return { points: this.#points, values, blocks: new Uint32Array(this.#blocks.view()) };
  }
}

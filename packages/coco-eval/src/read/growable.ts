/** A Float64Array that grows: columns whose length is known only at the end of the file. */
export class Numbers {
  #values: Float64Array<ArrayBuffer> = new Float64Array(256);
  length = 0;

  push(value: number): void {
    if (this.length === this.#values.length) {
      const larger = new Float64Array(2 * this.length);
      larger.set(this.#values);
      this.#values = larger;
    }
    this.#values[this.length++] = value;
  }

  /** Forgets the numbers and keeps the room. */
  clear(): void {
    this.length = 0;
  }

  at(index: number): number {
    return this.#values[index]!;
  }

  /** The numbers without the room for more; shares memory with this. */
  view(): Float64Array<ArrayBuffer> {
    return this.#values.subarray(0, this.length);
  }
}

/** A Float64Array that grows: columns whose length is known only at the end of the file. */
export class Numbers {
  #values: Float64Array<ArrayBuffer> = new Float64Array(256);
  length = 0;

  push(value: number): void {
    if (this.length === this.#values.length) this.#reserve(1);
    this.#values[this.length++] = value;
  }

  append(values: Float64Array | Int32Array): void {
    this.#reserve(values.length);
    this.#values.set(values, this.length);
    this.length += values.length;
  }

  /** Adds one number many times. */
  appendMany(value: number, count: number): void {
    this.#reserve(count);
    this.#values.fill(value, this.length, this.length + count);
    this.length += count;
  }

  #reserve(more: number): void {
    if (this.length + more <= this.#values.length) return;
    const larger = new Float64Array(Math.max(2 * this.#values.length, this.length + more));
    larger.set(this.#values);
    this.#values = larger;
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

/** Something that calls under way may still use when it is no longer wanted: it is disposed with the last of them. */
export class Lent<T extends { dispose(): void }> {
  readonly value: T;
  #users = 0;
  #retired = false;

  constructor(value: T) {
    this.value = value;
  }

  lend(): this {
    this.#users++;
    return this;
  }

  giveBack(): void {
    this.#users--;
    this.#disposeIfUnused();
  }

  /** To be called once. */
  retire(): void {
    this.#retired = true;
    this.#disposeIfUnused();
  }

  #disposeIfUnused(): void {
    if (this.#retired && this.#users === 0) this.value.dispose();
  }
}

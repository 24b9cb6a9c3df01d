/** Shares of work that only ever grow: a retry that begins again does not take back what was told. */
export class Progress {
  readonly #tell: ((share: number) => void) | undefined;
  #told = -1;

  constructor(tell: ((share: number) => void) | undefined) {
    this.#tell = tell;
    this.reach(0);
  }

  reach(share: number): void {
    if (!(share > this.#told)) return;
    this.#told = share;
    this.#tell?.(share);
  }
}

/** Exit status of a process that a signal ended: 128 + its number. */
const STATUS = { SIGINT: 130, SIGTERM: 143 } as const;

/**
 * Listens for SIGINT and SIGTERM: the first one asks the training to finish its step, save and leave; a second one
 * leaves at once.
 */
export class StopSignals {
  #requested: keyof typeof STATUS | undefined;
  readonly #onRequest: (signal: string) => void;
  readonly #exit: (status: number) => void;

  constructor(
    onRequest: (signal: string) => void = () => undefined,
    exit: (status: number) => void = (status) => process.exit(status),
  ) {
    this.#onRequest = onRequest;
    this.#exit = exit;
    process.on('SIGINT', this.#receive);
    process.on('SIGTERM', this.#receive);
  }

  /** The signal that asked to stop, if one did. */
  get requested(): string | undefined {
    return this.#requested;
  }

  dispose(): void {
    process.removeListener('SIGINT', this.#receive);
    process.removeListener('SIGTERM', this.#receive);
  }

  readonly #receive = (signal: NodeJS.Signals): void => {
    const known = signal === 'SIGINT' ? 'SIGINT' : 'SIGTERM';
    if (this.#requested !== undefined) return this.#exit(STATUS[known]);
    this.#requested = known;
    this.#onRequest(known);
  };
}

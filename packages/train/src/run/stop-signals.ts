/**
 * Listens for SIGINT and SIGTERM: the first one asks the training to finish its step, save and leave. From then on the
 * system's own handling is back, so a second one ends the process at once, even in the middle of a long kernel.
 */
export class StopSignals {
  #requested: NodeJS.Signals | undefined;
  readonly #onRequest: (signal: NodeJS.Signals) => void;

  constructor(onRequest: (signal: NodeJS.Signals) => void = () => undefined) {
    this.#onRequest = onRequest;
    process.on('SIGINT', this.#receive);
    process.on('SIGTERM', this.#receive);
  }

  /** The signal that asked to stop, if one did. */
  get requested(): NodeJS.Signals | undefined {
    return this.#requested;
  }

  dispose(): void {
    process.removeListener('SIGINT', this.#receive);
    process.removeListener('SIGTERM', this.#receive);
  }

  readonly #receive = (signal: NodeJS.Signals): void => {
    this.dispose();
    this.#requested = signal;
    this.#onRequest(signal);
  };
}

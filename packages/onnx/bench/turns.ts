import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/** What one prediction took. */
export interface Turn {
  /** Seconds. */
  readonly wall: number;
  /** Seconds of all threads together: steadier on a machine that does other work too. */
  readonly cpu: number;
  readonly detections: number;
  readonly peakBytes: number;
}

/** A process that works once for every line it is sent, so that several can take turns on one machine. */
export class Worker {
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #answers: AsyncIterator<string>;

  constructor(name: string, program: string, args: readonly string[]) {
    this.name = name;
    this.#child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#answers = createInterface({ input: this.#child.stdout! })[Symbol.asyncIterator]();
  }

  async next(): Promise<Turn> {
    this.#child.stdin!.write('again\n');
    const { value, done } = await this.#answers.next();
    if (done === true) throw new Error(`${this.name} ended before it answered; the lines above say why.`);
    return JSON.parse(value) as Turn;
  }

  end(): void {
    this.#child.stdin!.end();
  }
}

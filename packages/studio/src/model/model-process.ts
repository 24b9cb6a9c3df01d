import { type ChildProcess, spawn } from 'node:child_process';
import type { ErrorCode } from '@rcnn/core/errors';
import { RcnnError } from '@rcnn/core/errors';
import type { Proposals } from '../api.ts';
import type { Program } from '../program.ts';
import type { Answer, Question } from './messages.ts';

/** Milliseconds without a question after which a model gives its memory back. */
const IDLE = 5 * 60_000;

interface Waiting {
  readonly resolve: (proposals: Proposals) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * A model in a process of its own: while it computes the studio saves edits, and a model that takes all memory costs
 * itself alone. Begun with the first question, ended when nobody asks for a while.
 */
export class ModelProcess {
  readonly #program: Program;
  readonly #args: readonly string[];
  readonly #waiting = new Map<number, Waiting>();
  #child: ChildProcess | undefined;
  #timer: NodeJS.Timeout | undefined;
  #next = 1;

  /** @param args what the program is told so that it answers; see `answerProposals` */
  constructor(program: Program, args: readonly string[]) {
    this.#program = program;
    this.#args = args;
  }

  /** What a model finds in an image file. @throws what loading and decoding throw; INTERRUPTED */
  propose(question: Omit<Question, 'id'>): Promise<Proposals> {
    const id = this.#next++;
    const child = (this.#child ??= this.#start());
    clearTimeout(this.#timer);
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      child.send({ ...question, id } satisfies Question, (error) => {
        if (error !== null) this.#fail(error.message);
      });
    });
  }

  #start(): ChildProcess {
    const [command, ...rest] = this.#program;
    const child = spawn(command, [...rest, ...this.#args], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      serialization: 'advanced',
    });
    child.on('message', (answer: Answer) => this.#take(answer));
    child.once('error', (error) => this.#fail(error.message, child));
    child.once('exit', (code, signal) => this.#fail(`it ended with ${signal ?? `code ${code}`}`, child));
    return child;
  }

  #take({ id, proposals, error }: Answer): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (proposals !== undefined) waiting?.resolve(proposals);
    else
      waiting?.reject(
        new RcnnError((error?.code ?? 'INTERRUPTED') as ErrorCode, {
          where: 'model',
          problem: error?.message ?? 'it gave no answer',
        }),
      );
    if (this.#waiting.size > 0) return;
    this.#timer = setTimeout(() => this.stop(), IDLE);
    this.#timer.unref();
  }

  /** Nobody answers any more; the next question begins a new process. */
  #fail(why: string, child = this.#child): void {
    if (child !== this.#child) return;
    this.#child = undefined;
    for (const { reject } of this.#waiting.values())
      reject(new RcnnError('INTERRUPTED', { where: 'model', problem: 'the process of the model is gone', found: why }));
    this.#waiting.clear();
  }

  stop(): void {
    clearTimeout(this.#timer);
    const child = this.#child;
    this.#fail('the studio has ended it');
    child?.disconnect();
  }
}

import { isRcnnError, RcnnError } from '@rcnn/core/errors';
import type { ProcessGroup } from '@rcnn/distributed';
import * as tf from '@tensorflow/tfjs-core';
import type { NativeBackend } from './binding.ts';
import { CODES, inWords, meetingFailure } from './failures.ts';
import { type Meeting, receive, reduceMean, reduceMeanSync, send } from './ops.ts';
import { taskOf } from './server-def.ts';
import { silent, Watch } from './watch.ts';

export interface CollectiveGroupOptions {
  readonly rank: number;
  readonly size: number;
  /** Seconds that a meeting may take. */
  readonly timeout: number;
  /** Starts TensorFlow's server over and waits for all processes. */
  readonly enter: () => Promise<void>;
}

/** Seconds that one attempt to meet again may take: a process that is only being started comes later. */
const RESET_ATTEMPT = 30;

/** Ranks that meet by TensorFlow's collective operations. */
export class CollectiveGroup implements ProcessGroup {
  readonly rank: number;
  readonly size: number;
  readonly #backend: NativeBackend;
  readonly #others: readonly number[];
  readonly #timeout: number;
  readonly #enter: () => Promise<void>;
  readonly #watch: Watch;
  /** Meetings so far: the same on all ranks, so that each knows which one is meant. */
  #meetings = 0;
  #gone: readonly number[] = [];
  #failure: RcnnError | undefined;
  #waiting = false;
  /** A meeting that failed where nobody could be asked who is gone. */
  #unexplained: { readonly where: string; readonly error: unknown } | undefined;

  constructor(backend: NativeBackend, { rank, size, timeout, enter }: CollectiveGroupOptions) {
    this.rank = rank;
    this.size = size;
    this.#backend = backend;
    this.#others = [...Array(size).keys()].filter((other) => other !== rank);
    this.#timeout = timeout;
    this.#enter = enter;
    this.#watch = new Watch(backend.binding, this.#others, (gone) => this.#giveUp(gone));
  }

  allReduceMean(tensors: readonly tf.Tensor[]): Promise<tf.Tensor[]> {
    return this.#each('allReduceMean', tensors, (tensor, meeting) => reduceMean(this.#backend, tensor, meeting));
  }

  allReduceMeanSync(tensors: readonly tf.Tensor[]): tf.Tensor[] {
    const where = 'allReduceMeanSync';
    this.#requireReady(where);
    const tasks = this.#others.map((other) => taskOf(other));
    const received: tf.Tensor[] = [];
    try {
      for (const tensor of tensors) received.push(reduceMeanSync(this.#backend, tensor, this.#nextMeeting(), tasks));
      return received;
    } catch (error) {
      tf.dispose(received);
      if (isRcnnError(error)) throw error;
      // Whoever is gone is asked for by the next meeting, which need not stand still for the answers.
      this.#failure = meetingFailure(error, { where, gone: [], others: this.#others, timeout: this.#timeout });
      this.#unexplained = { where, error };
      throw this.#failure;
    }
  }

  broadcast(tensors: readonly tf.Tensor[], from = 0): Promise<tf.Tensor[]> {
    const pass = this.rank === from ? send : receive;
    return this.#each('broadcast', tensors, (tensor, meeting) => pass(this.#backend, tensor, meeting));
  }

  async barrier(): Promise<void> {
    await this.#meetAlone('barrier', this.#timeout);
  }

  /** The first barrier, which waits longer than others: ranks take their time to start. */
  async begin(seconds: number): Promise<void> {
    await this.#meetAlone('joinGroup', seconds);
  }

  async reset(): Promise<void> {
    const begin = performance.now();
    for (;;) {
      this.#failure = undefined;
      this.#unexplained = undefined;
      this.#gone = [];
      this.#meetings = 0;
      await this.#enter();
      try {
        await this.#meetAlone('reset', RESET_ATTEMPT);
        return;
      } catch (error) {
        const lost = isRcnnError(error, 'PEER_LOST') || isRcnnError(error, 'TIMEOUT');
        if (!lost || performance.now() - begin > this.#timeout * 1000) throw error;
      }
    }
  }

  close(): void {
    this.#watch.stop();
    this.#failure = new RcnnError('DISPOSED', {
      where: 'ProcessGroup',
      problem: `rank ${this.rank} has left its group`,
    });
  }

  async #meetAlone(where: string, timeout: number): Promise<void> {
    const one = tf.scalar(1);
    try {
      const met = await this.#each(where, [one], (tensor, meeting) =>
        reduceMean(this.#backend, tensor, { ...meeting, timeout }),
      );
      tf.dispose(met);
    } finally {
      one.dispose();
    }
  }

  /** One meeting for each tensor, in order. */
  async #each(
    where: string,
    tensors: readonly tf.Tensor[],
    meet: (tensor: tf.Tensor, meeting: Meeting) => Promise<tf.Tensor>,
  ): Promise<tf.Tensor[]> {
    if (this.#unexplained !== undefined) await this.#explainLate(this.#unexplained);
    this.#requireReady(where);
    const received: tf.Tensor[] = [];
    this.#waiting = true;
    this.#watch.start();
    try {
      for (const tensor of tensors) {
        received.push(await meet(tensor, this.#nextMeeting()));
      }
      return received;
    } catch (error) {
      tf.dispose(received);
      this.#watch.stop();
      this.#failure = await this.#explain(where, error);
      throw this.#failure;
    } finally {
      this.#watch.stop();
      this.#waiting = false;
    }
  }

  #nextMeeting(): Meeting {
    return { size: this.size, instance: ++this.#meetings, timeout: this.#timeout };
  }

  /** @throws what ended an earlier meeting; INVALID_ARGUMENT in the middle of another one */
  #requireReady(where: string): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (!this.#waiting) return;
    throw new RcnnError('INVALID_ARGUMENT', {
      where,
      problem: `rank ${this.rank} already waits in another call`,
      hint: 'Await each call before the next one.',
    });
  }

  async #explainLate({ where, error }: { readonly where: string; readonly error: unknown }): Promise<void> {
    this.#unexplained = undefined;
    this.#failure = await this.#explain(where, error);
  }

  async #explain(where: string, error: unknown): Promise<RcnnError> {
    const { binding } = this.#backend;
    const gone = this.#gone.length > 0 ? this.#gone : await silent(binding, this.#others);
    return meetingFailure(error, { where, gone, others: this.#others, timeout: this.#timeout });
  }

  #giveUp(gone: readonly number[]): void {
    this.#gone = gone;
    this.#backend.binding.abortCollectives(CODES.unavailable, `${inWords(gone)} does not answer any more`);
  }
}

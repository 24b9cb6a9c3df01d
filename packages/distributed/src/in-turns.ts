import type * as tf from '@tensorflow/tfjs-core';
import { localGroups } from './local-groups.ts';
import type { ProcessGroup } from './process-group.ts';

/** How a rank of {@link inTurns} ended. */
export type Ending<T> = PromiseSettledResult<T>;

/**
 * Plays `size` ranks in this process, one at a time: each goes on until it waits for the others or is done, then the next
 * one does, in the order of their numbers. tfjs has one engine and one gradient tape, so ranks that ran at once would
 * get into each other's way; and in turns the order of all that happens is always the same. A rank that ends leaves the
 * group.
 */
export async function inTurns<T>(size: number, body: (group: ProcessGroup) => Promise<T>): Promise<Ending<T>[]> {
  const turns = new Turns();
  const ranks = localGroups(size).map(async (inner) => {
    const group = new MemberInTurn(inner, turns);
    await turns.take();
    try {
      return await body(group);
    } finally {
      group.close();
      turns.pass();
    }
  });
  return Promise.allSettled(ranks);
}

/** One at a time; who asks later waits longer. */
class Turns {
  readonly #waiting: (() => void)[] = [];
  #taken = false;

  async take(): Promise<void> {
    if (this.#taken) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#taken = true;
  }

  pass(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#taken = false;
    else next();
  }
}

/** Gives its turn away for as long as it waits for the others. */
class MemberInTurn implements ProcessGroup {
  readonly rank: number;
  readonly size: number;
  readonly #inner: ProcessGroup;
  readonly #turns: Turns;

  constructor(inner: ProcessGroup, turns: Turns) {
    this.rank = inner.rank;
    this.size = inner.size;
    this.#inner = inner;
    this.#turns = turns;
  }

  allReduceMean(tensors: readonly tf.Tensor[]): Promise<tf.Tensor[]> {
    return this.#meet(() => this.#inner.allReduceMean(tensors));
  }

  allReduceMeanSync(tensors: readonly tf.Tensor[]): tf.Tensor[] {
    return this.#inner.allReduceMeanSync(tensors);
  }

  broadcast(tensors: readonly tf.Tensor[], from?: number): Promise<tf.Tensor[]> {
    return this.#meet(() => this.#inner.broadcast(tensors, from));
  }

  barrier(): Promise<void> {
    return this.#meet(() => this.#inner.barrier());
  }

  reset(): Promise<void> {
    return this.#meet(() => this.#inner.reset());
  }

  close(): void {
    this.#inner.close();
  }

  async #meet<R>(meeting: () => Promise<R>): Promise<R> {
    const met = meeting();
    this.#turns.pass();
    try {
      return await met;
    } finally {
      await this.#turns.take();
    }
  }
}

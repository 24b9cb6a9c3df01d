import { RcnnError } from '@rcnn/core/errors';
import type * as tf from '@tensorflow/tfjs-core';

type Operation = 'allReduceMean' | 'broadcast' | 'barrier' | 'reset';

/** What all ranks brought, by rank. */
type OfRanks = readonly (readonly tf.Tensor[])[];

interface Arrival {
  readonly operation: Operation;
  readonly tensors: readonly tf.Tensor[];
  /** Makes one rank's own answer out of what all brought. */
  readonly answer: (ofRanks: OfRanks) => tf.Tensor[];
  readonly resolve: (tensors: tf.Tensor[]) => void;
  readonly reject: (error: Error) => void;
}

/** Where the ranks of one process wait for each other. */
export class MeetingRoom {
  readonly size: number;
  readonly #arrived = new Map<number, Arrival>();
  readonly #left = new Set<number>();
  /** Who lost whom: a failure sticks until its rank has reset, though the one that was lost may be back already. */
  readonly #lost = new Map<number, number>();

  constructor(size: number) {
    this.size = size;
  }

  /** Settles when all ranks have come. Whoever settles does so in the order of the ranks. */
  async meet(
    operation: Operation,
    rank: number,
    tensors: readonly tf.Tensor[],
    answer: Arrival['answer'],
  ): Promise<tf.Tensor[]> {
    if (this.#left.has(rank)) {
      throw new RcnnError('DISPOSED', { where: operation, problem: `rank ${rank} has left its group` });
    }
    if (this.#lost.has(rank)) throw lost(operation, this.#lost.get(rank)!);
    if (this.#arrived.has(rank)) {
      throw new RcnnError('INVALID_ARGUMENT', {
        where: operation,
        problem: `rank ${rank} already waits in ${this.#arrived.get(rank)!.operation}`,
        hint: 'Await each call before the next one.',
      });
    }
    const settled = new Promise<tf.Tensor[]>((resolve, reject) => {
      this.#arrived.set(rank, { operation, tensors, answer, resolve, reject });
    });
    if (this.#arrived.size === this.size) this.#settle();
    return settled;
  }

  /** Ends those who wait, but for others to come back. */
  leave(rank: number): void {
    this.#left.add(rank);
    for (let other = 0; other < this.size; other++) if (other !== rank) this.#lost.set(other, rank);
    for (const [waiting, { operation, reject }] of this.#arrived) {
      if (operation === 'reset') continue;
      this.#arrived.delete(waiting);
      reject(lost(operation, rank));
    }
  }

  /** Comes back, or forgets whom it lost. */
  enter(rank: number): void {
    this.#left.delete(rank);
    this.#lost.delete(rank);
  }

  #settle(): void {
    const arrivals = this.#takeAll();
    try {
      checkAlike(arrivals);
      const brought = arrivals.map(({ tensors }) => tensors);
      const answers = arrivals.map(({ answer }) => answer(brought));
      for (const [rank, { resolve }] of arrivals.entries()) resolve(answers[rank]!);
    } catch (error) {
      for (const { reject } of arrivals) reject(error as Error);
    }
  }

  /** Those who wait, by rank; nobody waits afterwards. */
  #takeAll(): Arrival[] {
    const arrivals = [...this.#arrived].toSorted(([a], [b]) => a - b).map(([, arrival]) => arrival);
    this.#arrived.clear();
    return arrivals;
  }
}

/** Ranks that do different things would wait for ever, or add what does not belong together. */
function checkAlike(arrivals: readonly Arrival[]): void {
  const [first] = arrivals;
  for (const [rank, { operation, tensors }] of arrivals.entries()) {
    if (operation !== first!.operation) {
      throw new RcnnError('INVALID_ARGUMENT', {
        where: 'ProcessGroup',
        problem: 'ranks called different methods',
        found: `${operation} on rank ${rank}, ${first!.operation} on rank 0`,
      });
    }
    if (described(tensors) === described(first!.tensors)) continue;
    throw new RcnnError('SHAPE_MISMATCH', {
      where: operation,
      problem: 'ranks brought different tensors',
      found: `${described(tensors)} on rank ${rank}`,
      expected: `${described(first!.tensors)} as on rank 0`,
    });
  }
}

function described(tensors: readonly tf.Tensor[]): string {
  return tensors.map(({ dtype, shape }) => `${dtype}[${shape.join(',')}]`).join(' ') || 'none';
}

function lost(where: string, rank: number): RcnnError {
  return new RcnnError('PEER_LOST', {
    where,
    problem: `rank ${rank} has left`,
    hint: 'Nothing of this step was used: start all ranks again and resume at the last save.',
  });
}

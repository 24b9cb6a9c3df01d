import { RcnnError } from '@rcnn/core/errors';
import * as tf from '@tensorflow/tfjs-core';
import type { ProcessGroup } from './process-group.ts';

/**
 * A group inside this process: `size` members that meet in memory. With size 1 it is what a training alone uses; with
 * more, loops of one test play the ranks and no network is needed.
 * @returns one group per rank
 */
export function localGroups(size = 1): ProcessGroup[] {
  if (!Number.isSafeInteger(size) || size < 1) {
    throw new RcnnError('INVALID_ARGUMENT', {
      where: 'localGroups',
      place: 'size',
      problem: 'a group has members',
      found: String(size),
      expected: 'a whole number from 1',
    });
  }
  const room = new MeetingRoom(size);
  return Array.from({ length: size }, (_, rank) => new LocalMember(room, rank));
}

class LocalMember implements ProcessGroup {
  readonly rank: number;
  readonly size: number;
  readonly #room: MeetingRoom;

  constructor(room: MeetingRoom, rank: number) {
    this.#room = room;
    this.rank = rank;
    this.size = room.size;
  }

  allReduceMean(tensors: readonly tf.Tensor[]): Promise<tf.Tensor[]> {
    return this.#room.meet('allReduceMean', this.rank, tensors, meanOf);
  }

  broadcast(tensors: readonly tf.Tensor[]): Promise<tf.Tensor[]> {
    return this.#room.meet('broadcast', this.rank, tensors, (ofRanks) => ofRanks[0]!.map((tensor) => tf.clone(tensor)));
  }

  async barrier(): Promise<void> {
    await this.#room.meet('barrier', this.rank, [], () => []);
  }

  close(): void {
    this.#room.leave(this.rank);
  }
}

/** Ranks are added in their order, so that every rank gets the same bits. */
function meanOf(ofRanks: readonly (readonly tf.Tensor[])[]): tf.Tensor[] {
  return ofRanks[0]!.map((first, i) =>
    tf.tidy(() => {
      const sum = ofRanks.slice(1).reduce<tf.Tensor>((total, tensors) => tf.add(total, tensors[i]!), tf.clone(first));
      return tf.div(sum, ofRanks.length);
    }),
  );
}

type Operation = 'allReduceMean' | 'broadcast' | 'barrier';

interface Arrival {
  readonly operation: Operation;
  readonly tensors: readonly tf.Tensor[];
  /** Makes one rank's own answer out of what all brought. */
  readonly answer: (ofRanks: readonly (readonly tf.Tensor[])[]) => tf.Tensor[];
  readonly resolve: (tensors: tf.Tensor[]) => void;
  readonly reject: (error: Error) => void;
}

/** Where the ranks of one process wait for each other. */
class MeetingRoom {
  readonly size: number;
  readonly #arrived = new Map<number, Arrival>();
  readonly #left = new Set<number>();

  constructor(size: number) {
    this.size = size;
  }

  async meet(
    operation: Operation,
    rank: number,
    tensors: readonly tf.Tensor[],
    answer: Arrival['answer'],
  ): Promise<tf.Tensor[]> {
    if (this.#left.has(rank)) {
      throw new RcnnError('DISPOSED', { where: operation, problem: `rank ${rank} has left its group` });
    }
    if (this.#left.size > 0) throw lost(operation, [...this.#left][0]!);
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

  leave(rank: number): void {
    this.#left.add(rank);
    for (const { operation, reject } of this.#takeAll()) reject(lost(operation, rank));
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

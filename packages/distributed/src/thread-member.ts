import { RcnnError } from '@rcnn/core/errors';
import * as tf from '@tensorflow/tfjs-core';
import type { ProcessGroup } from './process-group.ts';

export interface ThreadMemberOptions {
  readonly rank: number;
  readonly size: number;
  /** Of {@link ThreadMember.memory}, the same for all ranks. */
  readonly memory: SharedArrayBuffer;
  readonly capacity: number;
}

/** Places of the common memory before the numbers: meetings so far, who has come, who has left; then a length a rank. */
const MEETINGS = 0;
const ARRIVED = 1;
const LEFT = 2;
const HEAD = 3;

/** A rank in a thread. Every meeting holds up its thread until all have come. */
export class ThreadMember implements ProcessGroup {
  readonly rank: number;
  readonly size: number;
  readonly #control: Int32Array;
  readonly #numbers: Float32Array;
  readonly #capacity: number;

  constructor({ rank, size, memory, capacity }: ThreadMemberOptions) {
    this.rank = rank;
    this.size = size;
    this.#capacity = capacity;
    this.#control = new Int32Array(memory, 0, HEAD + size);
    this.#numbers = new Float32Array(memory, 4 * (HEAD + size));
  }

  /** The common memory of `size` ranks. @param capacity numbers of each that it holds at once */
  static memory(size: number, capacity: number): SharedArrayBuffer {
    return new SharedArrayBuffer(4 * (HEAD + size + size * capacity));
  }

  async allReduceMean(tensors: readonly tf.Tensor[]): Promise<tf.Tensor[]> {
    return this.allReduceMeanSync(tensors);
  }

  /** Ranks are added in their order, so that every rank gets the same bits. */
  allReduceMeanSync(tensors: readonly tf.Tensor[]): tf.Tensor[] {
    return this.#each('allReduceMean', tensors, (parts, to) => {
      for (const i of to.keys()) to[i] = parts.reduce((sum, part) => Math.fround(sum + part[i]!), 0) / this.size;
    });
  }

  async broadcast(tensors: readonly tf.Tensor[], from = 0): Promise<tf.Tensor[]> {
    return this.#each('broadcast', tensors, (parts, to) => to.set(parts[from]!));
  }

  async barrier(): Promise<void> {
    this.#wait('barrier');
  }

  async reset(): Promise<void> {
    Atomics.store(this.#control, LEFT, 0);
    this.#wait('reset');
  }

  close(): void {
    Atomics.store(this.#control, LEFT, this.rank + 1);
    Atomics.notify(this.#control, MEETINGS);
  }

  #each(
    where: string,
    tensors: readonly tf.Tensor[],
    answer: (parts: readonly Float32Array[], to: Float32Array) => void,
  ): tf.Tensor[] {
    return tensors.map((tensor) => {
      const given = tensor.dataSync<'float32'>();
      const received = new Float32Array(given.length);
      this.#requireAlike(where, given.length);
      for (let at = 0; at < given.length; at += this.#capacity) {
        const length = Math.min(this.#capacity, given.length - at);
        const parts = Array.from({ length: this.size }, (_, rank) =>
          this.#numbers.subarray(rank * this.#capacity, rank * this.#capacity + length),
        );
        parts[this.rank]!.set(given.subarray(at, at + length));
        this.#wait(where);
        answer(parts, received.subarray(at, at + length));
        this.#wait(where);
      }
      return tf.tensor(received, tensor.shape, tensor.dtype);
    });
  }

  #requireAlike(where: string, length: number): void {
    Atomics.store(this.#control, HEAD + this.rank, length);
    this.#wait(where);
    const lengths = [...this.#control.subarray(HEAD)];
    this.#wait(where);
    if (new Set(lengths).size === 1) return;
    throw new RcnnError('SHAPE_MISMATCH', {
      where,
      problem: 'ranks brought different tensors',
      found: `${lengths.join(', ')} numbers`,
    });
  }

  /** Until all have come as often. @throws PEER_LOST */
  #wait(where: string): void {
    const control = this.#control;
    const meeting = Atomics.load(control, MEETINGS);
    if (Atomics.add(control, ARRIVED, 1) === this.size - 1) {
      Atomics.store(control, ARRIVED, 0);
      Atomics.add(control, MEETINGS, 1);
      Atomics.notify(control, MEETINGS);
      return;
    }
    while (Atomics.load(control, MEETINGS) === meeting) {
      const left = Atomics.load(control, LEFT);
      if (left > 0) throw new RcnnError('PEER_LOST', { where, problem: `rank ${left - 1} has left` });
      Atomics.wait(control, MEETINGS, meeting, 100);
    }
  }
}

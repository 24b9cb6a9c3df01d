import type * as tf from '@tensorflow/tfjs-core';

/**
 * Processes that train together, seen from one of them. Every method but `close` is a meeting: it settles when all have
 * called it, so all call the same methods in the same order. One process alone is a group of size 1 and the same code.
 *
 * A failure sticks: after one of PEER_LOST, TIMEOUT or SHAPE_MISMATCH each later meeting fails too, until {@link reset}.
 */
export interface ProcessGroup {
  /** Which one this is, from 0. */
  readonly rank: number;
  /** How many there are. */
  readonly size: number;
  /**
   * The mean over all ranks, tensor by tensor, the same bits on every rank. The tensors that are given stay; the caller
   * owns those that come.
   * @throws SHAPE_MISMATCH when they differ in number, shape or type; PEER_LOST naming the rank; TIMEOUT
   */
  allReduceMean(tensors: readonly tf.Tensor[]): Promise<tf.Tensor[]>;
  /**
   * The same for what cannot wait, inside a forward or a backward pass: JavaScript stands still until all ranks have come,
   * so no timer runs and no signal is heard meanwhile.
   * @throws INVALID_ARGUMENT where ranks are played in turns by one thread; otherwise as {@link allReduceMean}
   */
  allReduceMeanSync(tensors: readonly tf.Tensor[]): tf.Tensor[];
  /**
   * The tensors of one rank, on every rank. What the others give says only the shapes that they expect.
   * @param from whose. Default rank 0
   * @throws SHAPE_MISMATCH, PEER_LOST, TIMEOUT
   */
  broadcast(tensors: readonly tf.Tensor[], from?: number): Promise<tf.Tensor[]>;
  /** Waits for all. @throws PEER_LOST, TIMEOUT */
  barrier(): Promise<void>;
  /** After a failure: forgets it, and waits until all ranks have come again, be it as new processes. @throws TIMEOUT */
  reset(): Promise<void>;
  /** Leaves. Ranks that still wait, or come later, get PEER_LOST with this one's number: meet in a barrier before. */
  close(): void;
}

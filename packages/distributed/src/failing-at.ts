import type * as tf from '@tensorflow/tfjs-core';
import type { ProcessGroup } from './process-group.ts';

/**
 * A member that dies in its `call`-th meeting, counted from 1: it leaves the group instead of coming, and throws what
 * `error` makes. For tests of what the others do.
 */
export function failingAt(inner: ProcessGroup, call: number, error: () => Error): ProcessGroup {
  let calls = 0;
  const meet = <R>(meeting: () => Promise<R>): Promise<R> => {
    calls++;
    if (calls < call) return meeting();
    inner.close();
    return Promise.reject(error());
  };
  return {
    rank: inner.rank,
    size: inner.size,
    allReduceMean: (tensors: readonly tf.Tensor[]) => meet(() => inner.allReduceMean(tensors)),
    allReduceMeanSync: (tensors: readonly tf.Tensor[]) => {
      calls++;
      if (calls < call) return inner.allReduceMeanSync(tensors);
      inner.close();
      throw error();
    },
    broadcast: (tensors: readonly tf.Tensor[], from?: number) => meet(() => inner.broadcast(tensors, from)),
    barrier: () => meet(() => inner.barrier()),
    reset: () => inner.reset(),
    close: () => inner.close(),
  };
}

import { ToyModel, toyBatch } from '@rcnn/optim/testing';
import type { BatchSource } from '../src/loop.ts';

export { ToyModel };

/** Batches that are functions of (epoch, number), as real ones are. */
export function toyData(batchesPerEpoch: number, batchSize = 2): BatchSource {
  return {
    batchesPerEpoch,
    async *batches(epoch, first, share) {
      for (let index = first; index < batchesPerEpoch; index++) {
        const { rank, size, run } = share ?? { rank: 0, size: 1, run: 1 };
        if (Math.floor((index - first) / run) % size === rank) yield toyBatch(epoch, index, batchSize);
      }
    },
  };
}

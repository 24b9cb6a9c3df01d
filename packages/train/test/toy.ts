import { ToyModel, toyBatch } from '@rcnn/optim/testing';
import type { BatchSource } from '../src/index.ts';

export { ToyModel };

/** Batches that are functions of (epoch, number), as real ones are. */
export function toyData(batchesPerEpoch: number, batchSize = 2): BatchSource {
  return {
    batchesPerEpoch,
    async *batches(epoch, first) {
      for (let index = first; index < batchesPerEpoch; index++) yield toyBatch(epoch, index, batchSize);
    },
  };
}

import type { BatchShare } from '@rcnn/coco-data';
import type { TrainingBatch } from '@rcnn/optim';

/** Where batches come from. The same epoch and position always give the same batch: that is what makes resume exact. */
export interface BatchSource {
  readonly batchesPerEpoch: number;
  /**
   * The batches of one epoch from number `first` on. Ending the iteration early stops the source's work.
   * @param share only those of one of several processes, those without images among them. Default all with images
   */
  batches(epoch: number, first: number, share?: BatchShare): AsyncIterable<TrainingBatch>;
  /** Indices of the samples of every batch of an epoch, where the source knows them beforehand. */
  plan?(epoch: number): readonly (readonly number[])[];
  close?(): Promise<void>;
}

import { findSources } from '@rcnn/coco-data/node';
import { isRcnnError } from '@rcnn/core/errors';

/** Whether a folder holds annotations that a reader knows. Faults inside them are told by whoever opens them. */
export async function isDataset(path: string): Promise<boolean> {
  try {
    return (await findSources(path)).length > 0;
  } catch (error) {
    return !isRcnnError(error, 'DATASET_INVALID');
  }
}

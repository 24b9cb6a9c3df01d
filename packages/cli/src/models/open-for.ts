import type { ClassMap, Dataset } from '@rcnn/coco-data';
import { type OpenOptions, openDataset } from '@rcnn/coco-data/node';
import { isRcnnError } from '@rcnn/core/errors';
import { byName } from './known-classes.ts';

/**
 * A dataset under the classes of a model. Where it has other numbers for the same names, these are what counts: the labels
 * are the model's, the ids stay those of the data.
 * @throws LABEL_OUT_OF_RANGE where names do not tell either what is meant
 */
export async function openFor(own: ClassMap | undefined, path: string, options: OpenOptions): Promise<Dataset> {
  if (own === undefined) return openDataset(path, options);
  try {
    return await openDataset(path, { ...options, classes: own });
  } catch (error) {
    if (!isRcnnError(error, 'LABEL_OUT_OF_RANGE')) throw error;
    const { classes: others } = await openDataset(path, options);
    const classes = byName(own, others);
    if (classes === undefined) throw error;
    return openDataset(path, { ...options, classes });
  }
}

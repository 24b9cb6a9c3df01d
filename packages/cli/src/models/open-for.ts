import type { ClassMap, Dataset } from '@rcnn/coco-data';
import { type OpenOptions, openDataset } from '@rcnn/coco-data/node';
import { isRcnnError, type RcnnError } from '@rcnn/core/errors';
import { byName } from './known-classes.ts';

/**
 * A dataset under the classes of a model. Where it has other numbers for the same names, these are what counts: the labels
 * are the model's, the ids stay those of the data.
 * @throws LABEL_OUT_OF_RANGE where names do not tell either what is meant
 */
export async function openFor(own: ClassMap | undefined, path: string, options: OpenOptions): Promise<Dataset> {
  if (own === undefined) return openDataset(path, options);
  const byIds = await openDataset(path, { ...options, classes: own }).catch(ofClasses);
  if (!isRcnnError(byIds) && !leavesClassesOut(byIds)) return byIds;
  const { classes: others } = await openDataset(path, options);
  const classes = byName(own, others);
  if (classes !== undefined) return openDataset(path, { ...options, classes });
  if (isRcnnError(byIds)) throw byIds;
  return byIds;
}

/** The error that says that ids do not tell what is meant; any other is thrown again. */
function ofClasses(error: unknown): RcnnError {
  if (isRcnnError(error, 'LABEL_OUT_OF_RANGE')) return error;
  throw error;
}

/** With bad samples skipped, objects of classes that the model does not know by their ids are left out. */
function leavesClassesOut({ problems }: Dataset): boolean {
  return problems.list(0).some(({ kind }) => kind === 'category-unmapped');
}

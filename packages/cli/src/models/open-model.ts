import { ClassMap, type Dataset } from '@rcnn/coco-data';
import { type OpenOptions, openDataset } from '@rcnn/coco-data/node';
import type { FasterRCNN } from 'mask-rcnn';
import { loadDetector } from 'mask-rcnn/node';
import { weightsFile } from './weights-file.ts';

/** A model by checkpoint, run folder, name or URL, and its classes where the file names them. */
export async function openDetector(
  weights: string,
  arch?: string,
): Promise<{ model: FasterRCNN; classes: ClassMap | undefined }> {
  const { model, profile } = await loadDetector(weightsFile(weights), arch === undefined ? {} : { arch });
  const classes = profile?.classes === undefined ? undefined : new ClassMap(profile.classes, profile.numClasses);
  return { model, classes };
}

/** A model and a dataset that agree on the classes. */
export async function openModel(
  weights: string,
  arch: string | undefined,
  { path, ...options }: OpenOptions & { readonly path: string },
): Promise<{ readonly model: FasterRCNN; readonly dataset: Dataset }> {
  const { model, classes } = await openDetector(weights, arch);
  const dataset = await openDataset(path, { ...options, ...(classes && { classes }) });
  return { model, dataset };
}

import { ClassMap, type Dataset } from '@rcnn/coco-data';
import { type OpenOptions, openDataset } from '@rcnn/coco-data/node';
import type { Detector, KeypointScheme } from '@rcnn/core';
import type { Architecture } from '@rcnn/models';
import { loadDetector } from '@rcnn/models/node';
import { weightsFile } from 'mask-rcnn/node';
import { isExported, openExported } from './exported.ts';
import type { Predicting } from './load.ts';

/** Which weights, and of what. */
export interface ModelChoice {
  /** A checkpoint, run folder, published name or URL. */
  readonly weights: string;
  /** Where the file does not say. */
  readonly arch?: string | undefined;
  readonly architectures?: readonly Architecture[] | undefined;
}

/** A model by checkpoint, run folder, name or URL, and its classes where the file names them. */
export async function openDetector({ weights, ...choice }: ModelChoice): Promise<{
  model: Detector;
  classes: ClassMap | undefined;
  keypoints: KeypointScheme | undefined;
}> {
  const { model, profile } = isExported(weights) ? await exported(weights, choice) : await loaded(weights, choice);
  const classes = profile?.classes === undefined ? undefined : new ClassMap(profile.classes, profile.numClasses);
  return { model, classes, keypoints: profile?.keypoints };
}

type Opened = Pick<Predicting, 'model' | 'profile'>;

function loaded(weights: string, choice: Omit<ModelChoice, 'weights'>): Promise<Opened> {
  return loadDetector(weightsFile(weights), choice);
}

async function exported(weights: string, { arch }: Omit<ModelChoice, 'weights'>): Promise<Opened> {
  const model = await openExported(weights, { fixed: { '--arch': arch } });
  return { model, profile: model.description };
}

/** A model and a dataset that agree on the classes. */
export async function openModel(
  choice: ModelChoice,
  { path, ...options }: OpenOptions & { readonly path: string },
): Promise<{ readonly model: Detector; readonly dataset: Dataset }> {
  const { model, classes } = await openDetector(choice);
  const dataset = await openDataset(path, { ...options, ...(classes && { classes }) });
  return { model, dataset };
}

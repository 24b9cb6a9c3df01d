import { ClassMap, type Dataset } from '@rcnn/coco-data';
import type { OpenOptions } from '@rcnn/coco-data/node';
import type { Detector, KeypointScheme } from '@rcnn/core';
import type { Architecture } from '@rcnn/models';
import { loadPredicting, type ModelFlags } from './load.ts';
import { openFor } from './open-for.ts';

/** The model that the options name, or the one that is at hand, and its classes where the weights name them. */
export async function openDetector(
  flags: ModelFlags,
  architectures?: readonly Architecture[],
): Promise<{
  readonly model: Detector;
  readonly classes: ClassMap | undefined;
  readonly keypoints: KeypointScheme | undefined;
}> {
  const { model, profile } = await loadPredicting(flags, architectures);
  const classes = profile?.classes === undefined ? undefined : new ClassMap(profile.classes, profile.numClasses);
  return { model, classes, keypoints: profile?.keypoints };
}

/** A model and a dataset that agree on the classes. */
export async function openModel(
  flags: ModelFlags,
  { path, ...options }: OpenOptions & { readonly path: string },
  architectures?: readonly Architecture[],
): Promise<{ readonly model: Detector; readonly dataset: Dataset }> {
  const { model, classes } = await openDetector(flags, architectures);
  const dataset = await openFor(classes, path, options);
  return { model, dataset };
}

import type { Dataset } from './dataset.ts';

/** What the objects of a dataset have, counted: which models could learn from it. */
export interface DatasetOffers {
  readonly images: number;
  readonly objects: number;
  /** Objects that are no crowds: nothing is learned from the others. */
  readonly boxes: number;
  /** Of those, the ones with a mask. */
  readonly masks: number;
  /** Of those, the ones with keypoints. */
  readonly keypoints: number;
  readonly crowds: number;
}

/** Counts what a dataset has to learn from, without reading an image: asked before a model or a folder is made for it. */
export function datasetOffers(dataset: Dataset): DatasetOffers {
  const counts = { images: dataset.length, objects: 0, boxes: 0, masks: 0, keypoints: 0, crowds: 0 };
  for (let i = 0; i < dataset.length; i++) {
    for (const { crowd, segmentation, keypoints } of dataset.annotations(i)) {
      counts.objects++;
      if (crowd) counts.crowds++;
      else {
        counts.boxes++;
        if (segmentation !== undefined) counts.masks++;
        if (keypoints !== undefined) counts.keypoints++;
      }
    }
  }
  return counts;
}

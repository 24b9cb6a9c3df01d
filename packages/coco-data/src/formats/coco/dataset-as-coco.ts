import type { Dataset } from '../../dataset.ts';
import type { AnnotationRecord } from '../../records.ts';
import { type CocoFile, cocoOf, numberImages } from './write-coco.ts';

/**
 * An opened dataset, or these images of it, as a COCO file: what evaluation compares with. Crowds are kept, because
 * evaluation needs them; images have the numbers of {@link numberImages} over the whole dataset.
 */
export function datasetAsCoco(dataset: Dataset, indices: readonly number[] = [...dataset.images.keys()]): CocoFile {
  const numbers = numberImages(dataset.images);
  const images = indices.map((index) => dataset.images[index]!);
  const annotations = indices.flatMap((index): readonly AnnotationRecord[] => dataset.annotations(index));
  return cocoOf({
    source: dataset.name,
    images: images.map((image) => ({ ...image, id: numbers.get(image.id)! })),
    annotations: annotations.map((annotation) => ({ ...annotation, imageId: numbers.get(annotation.imageId)! })),
    categories: dataset.classes.classes.map(({ categoryId, name }) => ({ id: categoryId, name })),
  });
}

import type { InstanceMask, Target } from '@rcnn/core';
import type { ClassMap } from '../class-map.ts';
import { maskOf } from '../masks.ts';
import type { AnnotationRecord, ImageRecord } from '../records.ts';

/** One image of a dataset with its objects; the pixels come later, from an {@link ImageStore}. */
export interface Sample {
  readonly image: ImageRecord;
  readonly target: Target;
  /** Ids of the annotations, in the order of the target's objects. */
  readonly annotationIds: readonly number[];
}

/** All that is needed to build a sample anywhere: plain data, so it can be sent to a worker. */
export interface SampleRecords {
  readonly image: ImageRecord;
  readonly annotations: readonly AnnotationRecord[];
  /** What the target shall have even when there are no objects. */
  readonly fields: SampleFields;
}

export interface SampleFields {
  readonly masks: boolean;
  /** Keypoints per object; 0 for none. */
  readonly keypoints: number;
  /** Which key point takes the place of each in a mirrored image, where that is known. */
  readonly keypointPartners?: readonly number[] | undefined;
}

/**
 * The sample of one image: boxes clipped to it, category ids turned into labels, areas filled in from boxes where the
 * format has none.
 */
export function buildSample({ image, annotations, fields }: SampleRecords, classes: ClassMap): Sample {
  const [height, width] = image.size;
  const count = annotations.length;
  const boxes = new Float32Array(count * 4);
  const keypoints = new Float32Array(count * fields.keypoints * 3);
  const masks: InstanceMask[] = [];
  for (const [i, { box, segmentation, keypoints: points }] of annotations.entries()) {
    boxes[4 * i] = Math.max(0, box[0]);
    boxes[4 * i + 1] = Math.max(0, box[1]);
    boxes[4 * i + 2] = Math.min(width, box[2]);
    boxes[4 * i + 3] = Math.min(height, box[3]);
    if (points) keypoints.set(points, i * fields.keypoints * 3);
    if (fields.masks && segmentation) masks.push(maskOf(segmentation, image.size));
  }
  const target: Target = {
    boxes,
    labels: Int32Array.from(annotations, ({ categoryId }) => classes.labelOf(categoryId)!),
    ...(fields.masks && { masks }),
    ...(fields.keypoints > 0 && { keypoints }),
    ...(fields.keypoints > 0 && fields.keypointPartners && { keypointPartners: fields.keypointPartners }),
    crowd: Uint8Array.from(annotations, ({ crowd }) => (crowd ? 1 : 0)),
    area: Float64Array.from(annotations, ({ area, box }) => area ?? (box[2] - box[0]) * (box[3] - box[1])),
    imageId: image.id,
  };
  return { image, target, annotationIds: annotations.map(({ id }) => id) };
}

import type { Segmentations } from './segmentations.ts';

/**
 * The truth as columns: one typed array per field instead of one object per annotation, so that a dataset costs what
 * its numbers cost. Rows are in the order of the file.
 */
export interface GroundTruth {
  /** Ascending, each once. */
  readonly imageIds: Float64Array;
  /** `[images * 2]`: height and width in pixels; 0 where the file does not say. */
  readonly imageSizes: Uint32Array;
  /** Ascending, each once. */
  readonly categoryIds: Float64Array;
  readonly categoryNames: readonly string[];
  /** Annotations. */
  readonly count: number;
  /** Index into `imageIds`. */
  readonly image: Int32Array;
  /** Index into `categoryIds`. */
  readonly category: Int32Array;
  readonly ids: Float64Array;
  /** As annotated, in square pixels. */
  readonly areas: Float64Array;
  /** 1 marks a crowd. */
  readonly crowd: Uint8Array;
  /** `[count * 4]`: x, y, width, height in pixels. */
  readonly boxes: Float64Array;
  readonly segmentations: Segmentations | undefined;
  readonly keypoints: Keypoints | undefined;
  /** What is odd but does not stop an evaluation, such as an annotation of an unknown image. */
  readonly warnings: readonly string[];
}

/** Detections as columns, in the order in which they came. */
export interface Detections {
  readonly count: number;
  /** Index into the truth's `imageIds`. */
  readonly image: Int32Array;
  /** Index into the truth's `categoryIds`. */
  readonly category: Int32Array;
  readonly scores: Float64Array;
  /** `[count * 4]`: x, y, width, height in pixels; NaN in rows that came without a box. */
  readonly boxes: Float64Array;
  readonly segmentations: Segmentations | undefined;
  readonly keypoints: Keypoints | undefined;
  /** COCO numbers results from 1 and so do we; given ids are kept, with COCO's odd meaning of 0. */
  readonly ids: Float64Array | undefined;
}

/** Keypoints of every row, `[count * points * 3]`: x, y, and visibility or score. */
export interface Keypoints {
  readonly points: number;
  readonly values: Float64Array;
  /** Labelled keypoints per annotation, as the file says. Absent for detections. */
  readonly labelled?: Int32Array;
}

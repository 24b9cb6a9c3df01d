import type { Ids } from './ids.ts';
import type { Segmentations } from './segmentations.ts';

/**
 * The truth as columns: one typed array per field instead of one object per annotation, so that a dataset costs what
 * its numbers cost. Rows are in the order of the file.
 */
export interface GroundTruth {
  /** The file, for errors. */
  readonly where: string;
  /** Ascending, each once. */
  readonly imageIds: Ids;
  /** `[images * 2]`: height and width in pixels; 0 where the file does not say. */
  readonly imageSizes: Uint32Array;
  /** Ascending, each once. */
  readonly categoryIds: Ids;
  readonly categoryNames: readonly string[];
  /** Annotations. */
  readonly count: number;
  /** Index into `imageIds`. */
  readonly image: Int32Array;
  /** Index into `categoryIds`. */
  readonly category: Int32Array;
  readonly ids: Ids;
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
  /** The file, for errors. */
  readonly where: string;
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
  /** Where each row stood in the file, for errors; undefined where every entry became a row. */
  readonly indices: Float64Array | undefined;
  /** What is odd but does not stop an evaluation. */
  readonly warnings: readonly string[];
}

/** Keypoints: x, y, and visibility or score of each point. */
export interface Keypoints {
  readonly points: number;
  /** `[blocks * points * 3]` */
  readonly values: Float64Array;
  /** The block of each row; rows without keypoints share the first. */
  readonly blocks: Uint32Array;
  /** Labelled keypoints per annotation, as the file says. Absent for detections. */
  readonly labelled?: Int32Array;
}

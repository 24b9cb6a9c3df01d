import type { ImageSize, RunLengths } from '@rcnn/core';

/** What every format is read into: plain data, as the file states it, before anything is judged or mapped. */
export interface AnnotationSet {
  /** The file or folder it came from; named in errors. */
  readonly source: string;
  readonly images: readonly ImageRecord[];
  readonly annotations: readonly AnnotationRecord[];
  readonly categories: readonly Category[];
  /** What is left of objects that were reported and left out: their boxes, where the outline alone cannot be used. */
  readonly remains?: readonly AnnotationRecord[];
}

export type ImageId = number | string;

export interface ImageRecord {
  readonly id: ImageId;
  /** Path as the annotations give it, relative to the folder of images. */
  readonly file: string;
  /** `[height, width]` as the annotations state it. */
  readonly size: ImageSize;
  /** Where it is that of the file: the record states none, or the format has no place for one. */
  readonly sizeOfFile?: 'record' | 'format';
  /** LVIS: categories that the image was searched for and has none of. */
  readonly negativeCategoryIds?: readonly number[];
  /** LVIS: categories of which the image has objects that are not annotated. */
  readonly notExhaustiveCategoryIds?: readonly number[];
  /** Where the record stands: a JSON pointer, or a file. */
  readonly place: string;
}

export interface Category {
  readonly id: number;
  /** The id as the file writes it, where that is text: `id` is then a number of ours. */
  readonly textId?: string;
  readonly name: string;
  readonly supercategory?: string;
  /** Names of the keypoints, for categories that have them. */
  readonly keypoints?: readonly string[];
  /** Pairs of keypoints (from 1) that are drawn as limbs. */
  readonly skeleton?: readonly (readonly [number, number])[];
}

/** Polygons of one object (flat `x, y, …` lists, continuous coordinates) or its run lengths, maybe compressed. */
export type Segmentation =
  | { readonly kind: 'polygons'; readonly parts: readonly Float64Array[] }
  | { readonly kind: 'runs'; readonly runs: RunLengths }
  | { readonly kind: 'rle'; readonly size: ImageSize; readonly counts: string };

export interface AnnotationRecord {
  readonly id: number;
  readonly imageId: ImageId;
  readonly categoryId: number;
  /** `x1, y1, x2, y2` in pixels. */
  readonly box: readonly [x1: number, y1: number, x2: number, y2: number];
  readonly segmentation?: Segmentation;
  readonly crowd: boolean;
  /** As annotated; missing where the format has none. */
  readonly area?: number;
  /** `[K * 3]`: x, y, visibility. */
  readonly keypoints?: Float32Array;
  /** Pascal VOC's mark for objects that evaluation leaves out. */
  readonly difficult?: boolean;
  /** Where the record stands: a JSON pointer, or a file and a number. */
  readonly place: string;
}

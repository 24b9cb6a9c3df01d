import type { ImageSize } from '@rcnn/core';
import { RcnnError } from '@rcnn/core/errors';
import { Mask, runsToString } from '@rcnn/masks';
import type { AnnotationRecord, AnnotationSet, Category, ImageId, ImageRecord, Segmentation } from '../../records.ts';

/** A set as a COCO file: plain data for `JSON.stringify`. */
export interface CocoFile {
  readonly info: { readonly description: string };
  readonly images: readonly Readonly<Record<string, unknown>>[];
  readonly annotations: readonly Readonly<Record<string, unknown>>[];
  readonly categories: readonly Readonly<Record<string, unknown>>[];
}

/**
 * Any annotation set as COCO. Numbers are kept as they are; images whose ids are text (VOC, VIA) are numbered from 1, and
 * so are annotations when an id is 0 or comes twice, which COCO evaluation would count as unmatched.
 * @throws UNKNOWN_ID for an annotation whose image is not in the set
 */
export function cocoOf(set: AnnotationSet, description = 'written by mask-rcnn'): CocoFile {
  const imageIds = numberImages(set.images);
  const renumber =
    new Set(set.annotations.map(({ id }) => id)).size < set.annotations.length ||
    set.annotations.some(({ id }) => id === 0);
  const sizes = new Map(set.images.map(({ id, size }) => [id, size]));
  return {
    info: { description },
    images: set.images.map(({ id, file, size: [height, width], negativeCategoryIds, notExhaustiveCategoryIds }) => ({
      id: imageIds.get(id),
      file_name: file,
      height,
      width,
      ...(negativeCategoryIds && { neg_category_ids: negativeCategoryIds }),
      ...(notExhaustiveCategoryIds && { not_exhaustive_category_ids: notExhaustiveCategoryIds }),
    })),
    annotations: set.annotations.map((annotation, i) => ({
      ...annotationOf(annotation, sizeOf(annotation, sizes)),
      id: renumber ? i + 1 : annotation.id,
      image_id: imageIds.get(annotation.imageId),
    })),
    categories: set.categories.map((category) => ({ ...withoutText(category) })),
  };
}

/** Copies have numbers for ids, whatever the original has. */
function withoutText(category: Category): Category {
  const { textId: _, ...rest } = category;
  return rest;
}

/** The id of each image in {@link cocoOf}: its own where all are numbers, else its place from 1. */
export function numberImages(images: readonly ImageRecord[]): ReadonlyMap<ImageId, number> {
  const allNumbers = images.every(({ id }) => typeof id === 'number');
  return new Map(images.map(({ id }, i) => [id, allNumbers ? (id as number) : i + 1]));
}

function sizeOf({ id, imageId }: AnnotationRecord, sizes: ReadonlyMap<ImageId, ImageSize>): ImageSize {
  const size = sizes.get(imageId);
  if (size !== undefined) return size;
  throw new RcnnError('UNKNOWN_ID', {
    where: 'cocoOf',
    place: `annotation ${id}`,
    problem: 'no image of the set has this id',
    found: `imageId ${JSON.stringify(imageId)}`,
    hint: 'Leave out such annotations first: checkRecords does, and names them.',
  });
}

function annotationOf(annotation: AnnotationRecord, size: ImageSize): Readonly<Record<string, unknown>> {
  const { box, categoryId, crowd, area, segmentation, keypoints, difficult } = annotation;
  const [x1, y1, x2, y2] = box;
  return {
    category_id: categoryId,
    bbox: [x1, y1, x2 - x1, y2 - y1].map(trim),
    area: area ?? (segmentation ? maskArea(segmentation, size) : (x2 - x1) * (y2 - y1)),
    iscrowd: crowd ? 1 : 0,
    ...(segmentation && { segmentation: segmentationOf(segmentation, crowd) }),
    ...(keypoints && {
      keypoints: [...keypoints],
      num_keypoints: keypoints.filter((v, i) => i % 3 === 2 && v > 0).length,
    }),
    ...(difficult && { difficult: 1 }),
  };
}

/** Crowds keep plain run lengths, as COCO's own files do; others get the compressed string. */
function segmentationOf(segmentation: Segmentation, crowd: boolean): unknown {
  if (segmentation.kind === 'polygons') return segmentation.parts.map((part) => Array.from(part, trim));
  if (segmentation.kind === 'rle') return { size: segmentation.size, counts: segmentation.counts };
  const { size, counts } = segmentation.runs;
  return { size, counts: crowd ? [...counts] : runsToString(segmentation.runs) };
}

function maskArea(segmentation: Segmentation, size: ImageSize): number {
  if (segmentation.kind === 'polygons') return Mask.fromPolygons(segmentation.parts, size).area();
  const runs = segmentation.kind === 'runs' ? segmentation.runs : Mask.fromRLE(segmentation).runLengths();
  return runs.counts.reduce((sum, count, i) => (i % 2 === 1 ? sum + count : sum), 0);
}

/** Rounds away what float arithmetic left behind `x2 - x1`, far below what any annotation means. */
function trim(value: number): number {
  return Math.round(value * 1e6) / 1e6;
}

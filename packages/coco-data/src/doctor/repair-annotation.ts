import type { ImageSize } from '@rcnn/core';
import { isRcnnError } from '@rcnn/core/errors';
import { PatchMask } from '@rcnn/transforms';
import { boxAround, clippedOutline } from '../formats/outline.ts';
import { maskOf } from '../masks.ts';
import type { AnnotationRecord, Category, ImageRecord, Segmentation } from '../records.ts';
import { isAreaFarOff } from './check.ts';
import type { Did } from './repairs.ts';
import { type InFractions, isFraction, isOutlineInFractions } from './units.ts';

type Box = AnnotationRecord['box'];

/** What the repair of one annotation goes by. */
export interface AnnotationContext {
  /** With the size that the copy gives it; undefined when the copy has no such image, for this reason. */
  readonly image: ImageRecord | undefined;
  readonly missing: string;
  readonly category: Category | undefined;
  /** All boxes of the split were written as corners. */
  readonly corners: boolean;
  /** What of the objects of the split was counted in fractions of the image. */
  readonly fractions: InFractions | undefined;
  /** So many boxes of the split reach beyond their images that nobody can tell what they count in. */
  readonly keepsOverhang: boolean;
  /** A part of the mask could not be used: what is left of it may be no more than a crumb. */
  readonly isPartial: boolean;
  readonly did: Did;
}

/**
 * One annotation as it goes into the copy: what can be told from its other fields is put right, and it is left out only
 * where neither its box nor its mask can be used. Nothing is invented.
 */
export function repairAnnotation(written: AnnotationRecord, context: AnnotationContext): AnnotationRecord | undefined {
  const { image, missing, category, did } = context;
  const annotation = image && context.fractions ? inPixels(written, image.size, context) : written;
  const { place } = annotation;
  const leaveOut = (why: string): undefined => did('left out annotation', place, why) as undefined;
  if (image === undefined) return leaveOut(missing);
  if (category === undefined) return leaveOut(`category ${annotation.categoryId} is not there, or means several`);
  if (annotation.imageId !== image.id)
    did('matched id', place, `image ${JSON.stringify(annotation.imageId)} is ${JSON.stringify(image.id)}`);
  const { segmentation, patch } = repairMask(annotation, image.size, context);
  const box = repairBox(annotation, patch, image.size, context);
  if (typeof box === 'string') return leaveOut(box);
  const area = repairArea(annotation, patch, did);
  const keypoints = repairKeypoints(annotation, category, did);
  const { segmentation: _, area: __, keypoints: ___, ...rest } = annotation;
  return {
    ...rest,
    imageId: image.id,
    categoryId: category.id,
    box,
    ...(segmentation && { segmentation }),
    ...(area !== undefined && { area }),
    ...(keypoints && { keypoints }),
  };
}

/**
 * The annotation in a picture of another size than its reader believed: readers that make boxes from outlines clip them to
 * the picture, and here the picture is another one.
 */
export function unclipped(annotation: AnnotationRecord, believed: ImageSize, size: ImageSize): AnnotationRecord {
  const { box, segmentation } = annotation;
  if (same(believed, size) || segmentation?.kind !== 'polygons') return annotation;
  const points = segmentation.parts.flatMap((part) => [...part]);
  const isClipped = boxAround(points, believed).every((side, i) => side === box[i]);
  return isClipped ? { ...annotation, box: boxAround(points, size) } : annotation;
}

/** What was counted in fractions of the image, in its pixels; one that counts in pixels among others stays. */
function inPixels(
  annotation: AnnotationRecord,
  [height, width]: ImageSize,
  { fractions, did }: AnnotationContext,
): AnnotationRecord {
  const { box, segmentation, area, ...rest } = annotation;
  const isOutline = fractions !== 'boxes alone' && segmentation !== undefined;
  const isBoxInPixels = fractions !== 'outlines' && !box.every(isFraction);
  if (isBoxInPixels || (isOutline && !isOutlineInFractions(segmentation))) return annotation;
  const scaled = (value: number, i: number): number => value * (i % 2 === 0 ? width : height);
  did(
    'read as fractions',
    rest.place,
    fractions === 'outlines' ? 'the outline' : `box ${text(box)} of ${width}x${height}`,
  );
  return {
    ...rest,
    box: fractions === 'outlines' ? box : (box.map(scaled) as unknown as Box),
    ...(area !== undefined && (fractions !== 'boxes' || area > 1) && { area }),
    ...(fractions === 'boxes alone' && segmentation && { segmentation }),
    ...(fractions !== 'boxes alone' &&
      segmentation?.kind === 'polygons' && {
        segmentation: { kind: 'polygons', parts: segmentation.parts.map((part) => part.map(scaled)) },
      }),
  };
}

interface RepairedMask {
  readonly segmentation?: Segmentation;
  readonly patch?: PatchMask;
}

function repairMask(
  annotation: AnnotationRecord,
  size: ImageSize,
  { isPartial, did }: AnnotationContext,
): RepairedMask {
  const { place } = annotation;
  if (annotation.segmentation === undefined) return {};
  const segmentation = withoutSlivers(turnedSize(annotation, annotation.segmentation, size, did), place, size, did);
  const patch = patchOf(segmentation, size);
  if (typeof patch !== 'string' && !(isPartial && isCrumb(annotation, patch, size))) return { segmentation, patch };
  did(
    'left out mask',
    place,
    typeof patch === 'string' ? patch : 'what is left of the mask is too little of the object',
  );
  return {};
}

/** Whether box or area say that most of the object was in the parts that could not be used. */
function isCrumb({ box, area }: AnnotationRecord, patch: PatchMask, size: ImageSize): boolean {
  const whole = clip(box, size);
  if (isBox(box) && isBox(whole)) return boxIoU(whole, patch.box) < 0.5;
  return area === undefined || patch.area < 0.5 * area;
}

/** The mask as pixels, or why it cannot be used. */
function patchOf(segmentation: Segmentation, size: ImageSize): PatchMask | string {
  const own = ownSize(segmentation);
  if (own && !same(own, size)) return `the mask has the size ${own.join('x')}, the image ${size.join('x')}`;
  try {
    const patch = PatchMask.from(maskOf(segmentation, size));
    return patch.isEmpty ? 'the mask covers no pixel' : patch;
  } catch (error) {
    if (isRcnnError(error)) return error.message;
    throw error;
  }
}

function ownSize(segmentation: Segmentation): ImageSize | undefined {
  if (segmentation.kind === 'polygons') return undefined;
  return segmentation.kind === 'runs' ? segmentation.runs.size : segmentation.size;
}

/** Run lengths whose height and width were swapped, where the box confirms it. */
function turnedSize(
  { box, place }: AnnotationRecord,
  segmentation: Segmentation,
  size: ImageSize,
  did: Did,
): Segmentation {
  const own = ownSize(segmentation);
  if (own === undefined || same(own, size) || own[0] !== size[1] || own[1] !== size[0]) return segmentation;
  const turned: Segmentation =
    segmentation.kind === 'runs'
      ? { kind: 'runs', runs: { size, counts: segmentation.runs.counts } }
      : { kind: 'rle', size, counts: (segmentation as Extract<Segmentation, { kind: 'rle' }>).counts };
  const patch = patchOf(turned, size);
  if (typeof patch === 'string' || boxIoU(patch.box, box) < 0.8) return segmentation;
  did('mended field', place, `segmentation/size: ${own.join('x')} is now ${size.join('x')}`);
  return turned;
}

/** Without parts that enclose nothing of the image, as long as another part is left. */
function withoutSlivers(segmentation: Segmentation, place: string, size: ImageSize, did: Did): Segmentation {
  if (segmentation.kind !== 'polygons') return segmentation;
  const { parts } = segmentation;
  if (parts.length < 2) return segmentation;
  const isGood = (part: Float64Array): boolean => encloses(part) && clippedOutline(part, size).length > 0;
  const good = parts.filter(isGood);
  if (good.length === 0 || good.length === parts.length) return segmentation;
  for (const [i, part] of parts.entries())
    if (!isGood(part))
      did(
        'left out polygon part',
        place,
        `part ${i} ${encloses(part) ? 'lies outside of the image' : 'encloses nothing'}`,
      );
  return { kind: 'polygons', parts: good };
}

function encloses(part: Float64Array): boolean {
  let twice = 0;
  for (let i = 0; i < part.length; i += 2) {
    const j = (i + 2) % part.length;
    twice += part[i]! * part[j + 1]! - part[j]! * part[i + 1]!;
  }
  return Math.abs(twice) > 1e-9;
}

/** The box, or why there is none. */
function repairBox(
  { box, place }: AnnotationRecord,
  patch: PatchMask | undefined,
  size: ImageSize,
  { corners, keepsOverhang, did }: AnnotationContext,
): Box | string {
  const asCorners: Box = [box[0], box[1], box[2] - box[0], box[3] - box[1]];
  if (patch ? boxIoU(asCorners, patch.box) > 0.9 && boxIoU(box, patch.box) < 0.7 : corners) {
    const read = clip(asCorners, size);
    if (isBox(read)) {
      did('read box as corners', place, `${text(box)} is now ${text(read)}`);
      return read;
    }
  }
  const clipped = clip(box, size);
  if (isBox(box) && isBox(clipped)) {
    const overhangs = box.some((side, i) => Math.abs(side - clipped[i]!) > 1);
    if (overhangs && keepsOverhang && patch === undefined) return box;
    if (overhangs) did('clipped box', place, `${text(box)} is now ${text(clipped)}`);
    return clipped;
  }
  if (patch === undefined) return `box ${text(box)} cannot be used and there is no mask`;
  did('made box anew from mask', place, `${text(box)} is now ${text(patch.box)}`);
  return patch.box;
}

function repairArea({ area, place }: AnnotationRecord, patch: PatchMask | undefined, did: Did): number | undefined {
  if (area === undefined) return undefined;
  if (patch !== undefined && isAreaFarOff(area, patch.area)) {
    did('made area anew from mask', place, `${area} is now ${patch.area}`);
    return patch.area;
  }
  if (area > 0) return area;
  did('left out field', place, `area: ${area}`);
  return undefined;
}

function repairKeypoints(
  { keypoints, place }: AnnotationRecord,
  { keypoints: names }: Category,
  did: Did,
): Float32Array | undefined {
  if (keypoints === undefined || names === undefined || names.length * 3 === keypoints.length) return keypoints;
  did('left out field', place, `keypoints: ${keypoints.length / 3} points, the category has ${names.length}`);
  return undefined;
}

function clip([x1, y1, x2, y2]: Box, [height, width]: ImageSize): Box {
  return [Math.max(0, x1), Math.max(0, y1), Math.min(width, x2), Math.min(height, y2)];
}

function isBox(box: Box): boolean {
  return box.every(Number.isFinite) && box[2] > box[0] && box[3] > box[1];
}

/** Overlap of two boxes, 0 where one of them is none. */
export function boxIoU(a: Box, b: Box): number {
  if (!isBox(a) || !isBox(b)) return 0;
  const width = Math.max(0, Math.min(a[2], b[2]) - Math.max(a[0], b[0]));
  const height = Math.max(0, Math.min(a[3], b[3]) - Math.max(a[1], b[1]));
  const area = ([x1, y1, x2, y2]: Box): number => (x2 - x1) * (y2 - y1);
  return (width * height) / (area(a) + area(b) - width * height);
}

function same(a: ImageSize, b: ImageSize): boolean {
  return a[0] === b[0] && a[1] === b[1];
}

function text(box: readonly number[]): string {
  return box.map((side) => Math.round(side * 100) / 100).join(', ');
}

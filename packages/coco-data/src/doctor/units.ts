import type { ImageSize } from '@rcnn/core';
import { counted } from '@rcnn/core/errors';
import type { AnnotationRecord, ImageId } from '../records.ts';

/** Sets of fewer objects say nothing of how their tool counts. */
const ENOUGH = 4;

type SizeOf = (id: ImageId) => ImageSize | undefined;

/** Pixels by which a box reaches beyond its image; less than 0 where it lies inside. */
export function overhang([x1, y1, x2, y2]: AnnotationRecord['box'], [height, width]: ImageSize): number {
  return Math.max(-x1, -y1, x2 - width, y2 - height);
}

/**
 * Whether boxes were written as corners: read as x, y, width, height many overhang, and all but a few are right as corners.
 * @returns what was found, or undefined where they do not look like corners
 */
export function looksLikeCorners(
  annotations: readonly AnnotationRecord[],
  sizeOf: SizeOf,
): { readonly found: string } | undefined {
  const { boxes, overhanging } = overhangs(annotations, sizeOf);
  let fit = 0;
  for (const { imageId, box } of annotations) {
    const size = sizeOf(imageId);
    if (size !== undefined && fitsAsCorners(box, size)) fit++;
  }
  if (boxes < ENOUGH || overhanging <= boxes / 4 || !isFew(boxes - fit, boxes)) return undefined;
  const ofAll = fit === boxes ? 'all' : String(fit);
  return { found: `${overhanging} of ${counted(boxes, 'box', 'boxes')} overhang; ${ofAll} fit as corners` };
}

function fitsAsCorners([x1, y1, x2, y2]: AnnotationRecord['box'], [height, width]: ImageSize): boolean {
  const [right, bottom] = [x2 - x1, y2 - y1];
  return right > x1 && bottom > y1 && right <= width + 1 && bottom <= height + 1;
}

/**
 * Whether so many boxes reach beyond their images that no annotator dragged them there: they count in something that is
 * not known, and to clip them would take away what could still tell.
 */
export function manyOverhang(annotations: readonly AnnotationRecord[], sizeOf: SizeOf): boolean {
  const { boxes, overhanging } = overhangs(annotations, sizeOf);
  return boxes >= ENOUGH && overhanging > boxes / 4;
}

function overhangs(
  annotations: readonly AnnotationRecord[],
  sizeOf: SizeOf,
): { readonly boxes: number; readonly overhanging: number } {
  let [boxes, overhanging] = [0, 0];
  for (const { imageId, box } of annotations) {
    const size = sizeOf(imageId);
    if (size === undefined) continue;
    boxes++;
    if (overhang(box, size) > 1) overhanging++;
  }
  return { boxes, overhanging };
}

/** What of the objects counts in fractions of the image: all there is, or one of two. */
export type InFractions = 'boxes' | 'boxes alone' | 'outlines';

/**
 * What of the objects counts in fractions of the image: the boxes, and outlines where there are any (`boxes`), or one of
 * them beside the other in pixels. A single object may be that small; not nearly everything in a set.
 */
export function looksLikeFractions(
  annotations: readonly AnnotationRecord[],
  sizeOf: SizeOf,
): { readonly what: InFractions; readonly found: string } | undefined {
  let [objects, outlined, boxesInPixels, outlinesInPixels, empty] = [0, 0, 0, 0, 0];
  const most = annotations.length;
  for (const { imageId, box, segmentation } of annotations) {
    const size = sizeOf(imageId);
    if (size === undefined || size[0] <= 4 || size[1] <= 4) continue;
    objects++;
    if (!box.every(isFraction)) boxesInPixels++;
    if (!(box[2] > box[0] && box[3] > box[1])) empty++; // boxes of zeros are none, and count in nothing
    if (segmentation === undefined) continue;
    outlined++;
    if (!isOutlineInFractions(segmentation)) outlinesInPixels++;
    if (!isFew(boxesInPixels, most) && !isFew(outlinesInPixels, most)) return undefined;
  }
  const boxes = isFew(boxesInPixels, objects);
  const outlines = isFew(outlinesInPixels, outlined);
  const found = (what: InFractions, odd: number) => {
    const all = `${odd === 0 ? 'all ' : ''}${what === 'outlines' ? 'outlines' : 'boxes'}`;
    const of = odd === 0 ? counted(objects, 'object') : `${objects - odd} of ${counted(objects, 'object')}`;
    return { what, found: `${all} of ${of} lie between 0 and 1` };
  };
  if (boxes && objects >= ENOUGH) {
    if (outlines) return found('boxes', boxesInPixels);
    return empty === 0 ? found('boxes alone', boxesInPixels) : undefined;
  }
  return !boxes && outlines && outlined >= ENOUGH ? found('outlines', outlinesInPixels) : undefined;
}

/** Whether an outline counts in fractions of its image; run lengths count pixels. */
export function isOutlineInFractions(segmentation: NonNullable<AnnotationRecord['segmentation']>): boolean {
  return segmentation.kind === 'polygons' && segmentation.parts.every((part) => part.every(isFraction));
}

/** Annotators drag over the edge, by a tenth of the picture at most. */
export function isFraction(value: number): boolean {
  return value >= -0.1 && value <= 1.1;
}

/** A spoiled record in a set of some size says nothing of the others. */
function isFew(odd: number, all: number): boolean {
  return odd === 0 || (all >= 2 * ENOUGH && odd <= Math.max(1, all / 20));
}

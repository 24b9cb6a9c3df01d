import { RcnnError } from '@rcnn/core/errors';
import { Mask } from '@rcnn/masks';
import type { KeptObject, StudioObject } from '../api.ts';
import type { RawAnnotation, RawImage } from './coco-document.ts';

type Box = StudioObject['box'];

/** An annotation as the page shows it. What has no outline of its own (a crowd, run lengths) gets one to look at. */
export function objectOf(annotation: RawAnnotation, { width, height }: RawImage): KeptObject {
  const { id, category_id: classId, segmentation, iscrowd } = annotation;
  const crowd = iscrowd === 1 || iscrowd === true;
  const polygons = outlinesOf(segmentation, [height, width]);
  const box = boxOf(annotation['bbox']) ?? boxAround(polygons ?? []);
  const area = typeof annotation['area'] === 'number' ? annotation['area'] : (box[2] - box[0]) * (box[3] - box[1]);
  return { id, classId, polygons: polygons ?? [], box, area, editable: !crowd && polygons !== undefined };
}

/** Undefined for a segmentation that is none. */
function outlinesOf(
  segmentation: unknown,
  size: readonly [number, number],
): readonly (readonly number[])[] | undefined {
  if (segmentation === undefined || segmentation === null) return [];
  if (Array.isArray(segmentation)) {
    const parts = segmentation as readonly unknown[];
    const sound = parts.every((part) => Array.isArray(part) && isOutline(part));
    return sound ? (parts as readonly (readonly number[])[]) : undefined;
  }
  const { counts, size: own } = segmentation as { readonly counts?: unknown; readonly size?: unknown };
  try {
    if (!Array.isArray(own) || own[0] !== size[0] || own[1] !== size[1]) return undefined;
    if (typeof counts === 'string') return Mask.fromRLE({ size, counts }).polygons();
    if (!Array.isArray(counts)) return undefined;
    return Mask.fromRuns({ size, counts: Uint32Array.from(counts as number[]) }).polygons();
  } catch {
    return undefined;
  }
}

/** Three points or more, each with two numbers. */
function isOutline(part: readonly unknown[]): boolean {
  return part.length >= 6 && part.length % 2 === 0 && part.every(Number.isFinite);
}

function boxOf(bbox: unknown): Box | undefined {
  if (!Array.isArray(bbox) || bbox.length !== 4 || !bbox.every(Number.isFinite)) return undefined;
  const [x, y, width, height] = bbox as [number, number, number, number];
  return [x, y, x + width, y + height];
}

function boxAround(polygons: readonly (readonly number[])[]): Box {
  const [xs, ys] = [0, 1].map((axis) => polygons.flatMap((part) => part.filter((_, i) => i % 2 === axis)));
  if (xs!.length === 0) return [0, 0, 0, 0];
  const least = (values: readonly number[]): number => values.reduce((a, b) => Math.min(a, b));
  const most = (values: readonly number[]): number => values.reduce((a, b) => Math.max(a, b));
  return [least(xs!), least(ys!), most(xs!), most(ys!)];
}

/**
 * The annotation that an edited object becomes. One whose outline was not touched keeps all that its record says,
 * run lengths included; a new outline brings a new box and area and leaves the rest of the record.
 * @throws POLYGON_INVALID
 */
export function annotationOf(
  object: StudioObject,
  before: RawAnnotation | undefined,
  image: RawImage,
  id: number,
): RawAnnotation {
  const record = { ...before, id, image_id: image.id, category_id: object.classId };
  const shown = before && objectOf(before, image);
  if (shown !== undefined && (shown.editable === false || isSame(shown, object))) return record;
  if (object.polygons.length === 0) {
    const [x1, y1, x2, y2] = inside(object.box, image);
    const bbox = [x1, y1, x2 - x1, y2 - y1].map(trim);
    requireArea(bbox[2]! * bbox[3]!, object);
    return { ...record, bbox, area: trim(bbox[2]! * bbox[3]!), iscrowd: 0 };
  }
  const polygons = object.polygons.map((part) => {
    if (isOutline(part)) return insidePart(part, image);
    throw new RcnnError('POLYGON_INVALID', {
      where: image.file_name,
      problem: 'an outline needs three points or more, each with two numbers',
      found: `${part.length} numbers`,
    });
  });
  const area = Mask.fromPolygons(polygons, [image.height, image.width]).area();
  requireArea(area, object);
  const [x1, y1, x2, y2] = boxAround(polygons);
  const bbox = [x1, y1, x2 - x1, y2 - y1].map(trim);
  return { ...record, bbox, area, iscrowd: 0, segmentation: polygons };
}

/** An object without a pixel cannot be learned from, and stops a strict load. */
function requireArea(area: number, { polygons, box }: StudioObject): void {
  if (area > 0) return;
  throw new RcnnError('POLYGON_INVALID', {
    where: 'outline',
    problem: 'the outline covers no pixel of the picture',
    found: JSON.stringify(polygons[0] ?? box).slice(0, 200),
  });
}

function isSame(a: StudioObject, b: StudioObject): boolean {
  if (JSON.stringify(a.polygons) !== JSON.stringify(b.polygons)) return false;
  return a.polygons.length > 0 || JSON.stringify(a.box.map(trim)) === JSON.stringify(b.box.map(trim));
}

/** Corners pulled beyond the picture come back to its border. */
function insidePart(part: readonly number[], { width, height }: RawImage): number[] {
  return part.map((value, i) => trim(Math.min(Math.max(value, 0), i % 2 === 0 ? width : height)));
}

function inside(box: Box, image: RawImage): Box {
  return insidePart(box, image) as unknown as Box;
}

/** Hundredths of a pixel: finer than any hand. */
function trim(value: number): number {
  return Math.round(value * 100) / 100;
}

import type { ImageSize } from '@rcnn/core';
import { counted } from '@rcnn/core/errors';
import type { ProblemKind, Problems } from '../../doctor/problems.ts';
import type { AnnotationRecord, Segmentation } from '../../records.ts';
import { FieldReader, isNumberText, numeric, show } from '../json/fields.ts';
import { boxAround, ellipseOutline, polygonArea } from '../outline.ts';

/** One labelme file: a picture and its shapes, as written. */
export interface LabelmeFile {
  /** `imagePath`: where the picture was, seen from the JSON file. Empty where the file does not say. */
  readonly image: string;
  /** Whether the picture itself is in the file (`imageData`). */
  readonly hasPicture: boolean;
  /** `[height, width]`; zeros where the file states none that can be used. */
  readonly size: ImageSize;
  readonly shapes: readonly LabelmeShape[];
  /** Which object a shape belongs to, by the place of the shape; of those that were reported as well. */
  readonly objects: ReadonlyMap<string, string>;
}

export interface LabelmeShape {
  readonly label: string;
  /** Flat `x, y, …`, continuous coordinates; of one that was painted, empty until its mask is decoded. */
  readonly parts: readonly Float64Array[];
  readonly painted?: PaintedMask;
  readonly place: string;
}

/** `shape_type: mask`: what labelme's assistant paints. */
export interface PaintedMask {
  /** A PNG as base64: what is not black belongs to the object. */
  readonly png: string;
  /** The pixel of the image on which its upper left one lies. */
  readonly at: readonly [x: number, y: number];
}

/** Reads what is plain in a labelme file; shapes without an area are reported. @param place of the file, in problems */
export function parseLabelme(
  value: unknown,
  place: string,
  source: string,
  problems: Problems,
): LabelmeFile | undefined {
  const fields = new FieldReader(value, place, source, problems);
  const isNamed = fields.has('imagePath') && fields.get('imagePath') !== '';
  const image = isNamed ? fields.text('imagePath') : '';
  if (fields.failed) return undefined;
  const list = fields.get('shapes');
  if (!Array.isArray(list)) {
    problems.add({ kind: 'field-type', source, place: `${place}/shapes`, found: `${show(list)}, expected a list` });
    return undefined;
  }
  const [height, width] = [fields.get('imageHeight'), fields.get('imageWidth')];
  const size: ImageSize = isSide(height) && isSide(width) ? [height, width] : [0, 0];
  const shapes: LabelmeShape[] = [];
  for (const [i, item] of list.entries()) {
    const shape = shapeOf(item, `${place} shape ${i + 1}`, source, problems);
    if (shape) shapes.push(shape);
  }
  const objects = new Map(list.map((item, i) => [`${place} shape ${i + 1}`, objectKey(item, i)]));
  const data = fields.get('imageData');
  return { image, hasPicture: typeof data === 'string' && data !== '', size, shapes, objects };
}

/** Shapes that share a group and a label are one object. */
function objectKey(item: unknown, index: number): string {
  const { group_id: group, label } = (typeof item === 'object' && item !== null ? item : {}) as Record<string, unknown>;
  return Number.isSafeInteger(group) || isNumberText(group)
    ? `group ${String(group)} ${String(label).trim()}`
    : `shape ${index}`;
}

function isSide(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value > 0 && value < 2 ** 31;
}

/** What labelme's own converters leave out. */
const NO_CLASS: readonly string[] = ['__ignore__', '_background_'];

function shapeOf(item: unknown, place: string, source: string, problems: Problems): LabelmeShape | undefined {
  const fields = new FieldReader(item, place, source, problems);
  const label = fields.failed ? '' : fields.name('label').trim();
  if (fields.has('group_id')) fields.id('group_id');
  if (fields.failed) return undefined;
  if (NO_CLASS.includes(label)) {
    problems.add({ kind: 'region-ignored', source, place, found: label });
    return undefined;
  }
  const kind = fields.get('shape_type') ?? 'polygon';
  const points = pointsOf(fields.get('points'));
  const report = (problem: ProblemKind, found: string): undefined => {
    problems.add({ kind: problem, source, place, found });
  };
  if (points === undefined) return report('polygon-not-finite', show(fields.get('points')));
  if (kind === 'mask') {
    const [png, corner] = [fields.get('mask'), points[0]];
    if (typeof png !== 'string' || corner === undefined) return report('field-type', `mask: ${show(png)}`);
    return { label, parts: [], painted: { png, at: [Math.round(corner[0]), Math.round(corner[1])] }, place };
  }
  const outline = outlineOf(kind, points);
  if (outline === undefined) return report('region-unsupported', show(kind));
  if (outline.length < 6) return report('polygon-short', counted(outline.length / 2, 'point'));
  if (isFlat(outline)) return report('mask-empty', `${show(kind)} without height or width`);
  return { label, parts: [outline], place };
}

function pointsOf(value: unknown): readonly (readonly [number, number])[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const points = value.map((point) => (Array.isArray(point) && point.length === 2 ? point.map(numeric) : [undefined]));
  return points.every((point) => !point.includes(undefined)) ? (points as [number, number][]) : undefined;
}

/** Shapes that are written corner by corner. labelme and X-AnyLabeling have names of their own for turned rectangles. */
const OUTLINES: readonly unknown[] = ['polygon', 'rotation', 'oriented_rectangle', 'quadrilateral'];

/** The outline of a shape; undefined for points and lines, which have no area. */
function outlineOf(kind: unknown, points: readonly (readonly [number, number])[]): Float64Array | undefined {
  const [a, b] = points;
  if (OUTLINES.includes(kind)) return Float64Array.from(points.flat());
  if (a === undefined || b === undefined || (kind !== 'rectangle' && kind !== 'circle')) return undefined;
  // labelme writes two corners, X-AnyLabeling all four.
  if (kind === 'rectangle' && points.length === 4) return Float64Array.from(points.flat());
  if (kind === 'rectangle') return Float64Array.of(a[0], a[1], b[0], a[1], b[0], b[1], a[0], b[1]);
  const radius = Math.hypot(b[0] - a[0], b[1] - a[1]);
  return ellipseOutline(a[0], a[1], radius, radius);
}

/** Whether an outline has no extent to one side: it would stretch the box of its group and cover nothing. */
function isFlat(outline: Float64Array): boolean {
  const [xs, ys] = [outline.filter((_, i) => i % 2 === 0), outline.filter((_, i) => i % 2 === 1)];
  return [xs, ys].some((side) => side.every((value) => value === side[0]));
}

/** The parts that reach into the picture; all of them when none does. One outside would stretch the object's box. */
function seenParts(parts: readonly Float64Array[], [height, width]: ImageSize): readonly Float64Array[] {
  if (height === 0 || width === 0) return parts;
  const seen = parts.filter((part) => {
    const [x1, y1, x2, y2] = boxAround(part, [height, width]);
    return x1 < width && y1 < height && x2 > 0 && y2 > 0;
  });
  return seen.length > 0 ? seen : parts;
}

/** The objects of a picture, each of all shapes that belong to it. Ids are given later. */
export function objectsOf(
  { shapes, objects: keys }: LabelmeFile,
  size: ImageSize,
): readonly (Pick<AnnotationRecord, 'box' | 'area' | 'place'> & {
  readonly label: string;
  readonly segmentation: Segmentation;
})[] {
  const objects = new Map<string, { label: string; place: string; parts: Float64Array[] }>();
  for (const { label, parts, place } of shapes) {
    const key = keys.get(place)!;
    const object = objects.get(key);
    if (object === undefined) objects.set(key, { label, place, parts: [...parts] });
    else object.parts.push(...parts);
  }
  return [...objects.values()].map(({ label, place, parts }) => ({
    label,
    place,
    box: boxAround(
      seenParts(parts, size).flatMap((part) => [...part]),
      size,
    ),
    area: parts.reduce((sum, part) => sum + polygonArea(part), 0),
    segmentation: { kind: 'polygons', parts },
  }));
}

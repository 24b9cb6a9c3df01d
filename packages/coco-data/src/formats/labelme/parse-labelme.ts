import type { ImageSize } from '@rcnn/core';
import type { Problems } from '../../doctor/problems.ts';
import type { AnnotationRecord, Segmentation } from '../../records.ts';
import { FieldReader, show } from '../json/fields.ts';
import { boxAround, ellipseOutline, polygonArea } from '../outline.ts';

/** One labelme file: a picture and its shapes, as written. */
export interface LabelmeFile {
  /** `imagePath`: where the picture was, seen from the JSON file. */
  readonly image: string;
  /** `[height, width]`; zeros where the file states none. */
  readonly size: ImageSize;
  readonly shapes: readonly LabelmeShape[];
}

export interface LabelmeShape {
  readonly label: string;
  /** Shapes of one object that is seen in parts share a number. */
  readonly group: number | undefined;
  /** Flat `x, y, …`, continuous coordinates. */
  readonly points: Float64Array;
  readonly place: string;
}

/** Reads what is plain in a labelme file; shapes without an area are reported. @param place of the file, in problems */
export function parseLabelme(
  value: unknown,
  place: string,
  source: string,
  problems: Problems,
): LabelmeFile | undefined {
  const fields = new FieldReader(value, place, source, problems);
  const image = fields.failed ? '' : fields.text('imagePath');
  const size: ImageSize =
    fields.has('imageHeight') && fields.has('imageWidth')
      ? [fields.side('imageHeight'), fields.side('imageWidth')]
      : [0, 0];
  const list = fields.get('shapes');
  if (fields.failed) return undefined;
  const shapes: LabelmeShape[] = [];
  for (const [i, item] of (Array.isArray(list) ? list : []).entries()) {
    const shape = shapeOf(item, `${place} shape ${i + 1}`, source, problems);
    if (shape) shapes.push(shape);
  }
  return { image, size, shapes };
}

function shapeOf(item: unknown, place: string, source: string, problems: Problems): LabelmeShape | undefined {
  const fields = new FieldReader(item, place, source, problems);
  const label = fields.failed ? '' : fields.text('label');
  const group = fields.has('group_id') ? fields.id('group_id') : undefined;
  if (fields.failed) return undefined;
  const kind = fields.get('shape_type') ?? 'polygon';
  const points = pointsOf(fields.get('points'));
  const report = (problem: 'polygon-not-finite' | 'polygon-short' | 'region-unsupported', found: string): undefined => {
    problems.add({ kind: problem, source, place, found });
  };
  if (points === undefined) return report('polygon-not-finite', show(fields.get('points')));
  const outline = outlineOf(kind, points);
  if (outline === undefined) return report('region-unsupported', show(kind));
  if (outline.length < 6) return report('polygon-short', `${outline.length / 2} points`);
  return { label, group, points: outline, place };
}

function pointsOf(value: unknown): readonly (readonly [number, number])[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const good = value.every((point) => Array.isArray(point) && point.length === 2 && point.every(Number.isFinite));
  return good ? (value as [number, number][]) : undefined;
}

/** The outline of a shape; undefined for points and lines, which have no area. */
function outlineOf(kind: unknown, points: readonly (readonly [number, number])[]): Float64Array | undefined {
  const [a, b] = points;
  if (kind === 'polygon') return Float64Array.from(points.flat());
  if (a === undefined || b === undefined || (kind !== 'rectangle' && kind !== 'circle')) return undefined;
  if (kind === 'rectangle') return Float64Array.of(a[0], a[1], b[0], a[1], b[0], b[1], a[0], b[1]);
  const radius = Math.hypot(b[0] - a[0], b[1] - a[1]);
  return ellipseOutline(a[0], a[1], radius, radius);
}

/** The objects of a picture: shapes that share a group and a label are one object. Ids are given later. */
export function objectsOf(
  { shapes }: LabelmeFile,
  size: ImageSize,
): readonly (Pick<AnnotationRecord, 'box' | 'area' | 'place'> & {
  readonly label: string;
  readonly segmentation: Segmentation;
})[] {
  const objects = new Map<string, { label: string; place: string; parts: Float64Array[] }>();
  for (const [i, { label, group, points, place }] of shapes.entries()) {
    const key = group === undefined ? `shape ${i}` : `group ${group} ${label}`;
    const object = objects.get(key);
    if (object === undefined) objects.set(key, { label, place, parts: [points] });
    else object.parts.push(points);
  }
  return [...objects.values()].map(({ label, place, parts }) => ({
    label,
    place,
    box: boxAround(
      parts.flatMap((part) => [...part]),
      size,
    ),
    area: parts.reduce((sum, part) => sum + polygonArea(part), 0),
    segmentation: { kind: 'polygons', parts },
  }));
}

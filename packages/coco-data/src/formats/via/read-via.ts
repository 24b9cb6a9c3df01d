import type { ImageSize } from '@rcnn/core';
import { RcnnError } from '@rcnn/core/errors';
import type { Problems } from '../../doctor/problems.ts';
import type { AnnotationRecord, AnnotationSet, Category, ImageRecord } from '../../records.ts';
import { FieldReader, show } from '../json/fields.ts';

export interface ViaOptions {
  /** Size of an image, which VIA does not store. Called once per image with regions or without. */
  readonly sizeOf: (file: string) => Promise<ImageSize>;
  /** The region attribute that holds the class. Default: the only one that regions have, if there is one. */
  readonly classAttribute?: string;
  /** The class of regions without that attribute. Default `object`. */
  readonly className?: string;
  /**
   * Added to coordinates: VIA names pixels, masks are drawn between them, so the centre of pixel 3 is 3.5.
   * Default 0.5.
   */
  readonly offset?: number;
}

const CIRCLE_POINTS = 64;

/**
 * Reads a VGG Image Annotator project (1.x or 2.x, with or without its settings around it). Polygons, rectangles,
 * circles and ellipses become polygons; points and lines have no area and are reported.
 * @param value the parsed JSON
 * @throws DATASET_INVALID when it is not a VIA project
 */
export async function parseVia(
  value: unknown,
  source: string,
  problems: Problems,
  options: ViaOptions,
): Promise<AnnotationSet> {
  const { root, prefix } = projectOf(value, source);
  const regions: Region[] = [];
  const images: ImageRecord[] = [];
  for (const [key, entry] of Object.entries(root)) {
    const place = `${prefix}/${escapePointer(key)}`;
    const fields = new FieldReader(entry, place, source, problems);
    const file = fields.failed ? '' : fields.text('filename');
    if (fields.failed) continue;
    const size = await options.sizeOf(file);
    images.push({ id: file, file, size, place });
    regions.push(...regionsOf(fields, file, place));
  }
  const attribute = options.classAttribute ?? onlyAttribute(regions);
  const names = regions.map(({ attributes }) => className(attributes, attribute) ?? options.className ?? 'object');
  const categories: Category[] = [...new Set(names)].sort().map((name, i) => ({ id: i + 1, name }));
  if (categories.length === 0) categories.push({ id: 1, name: options.className ?? 'object' });
  const annotations: AnnotationRecord[] = [];
  for (const [i, region] of regions.entries()) {
    const points = pointsOf(region, source, problems, options.offset ?? 0.5);
    if (points === undefined) continue;
    const size = images.find(({ id }) => id === region.file)!.size;
    annotations.push({
      id: i + 1,
      imageId: region.file,
      categoryId: categories.find(({ name }) => name === names[i])!.id,
      box: boxAround(points, size),
      segmentation: { kind: 'polygons', parts: [points] },
      crowd: false,
      area: polygonArea(points),
      place: region.place,
    });
  }
  return { source, images, annotations, categories };
}

interface Region {
  readonly file: string;
  readonly place: string;
  readonly shape: unknown;
  readonly attributes: unknown;
}

type JSONObject = Readonly<Record<string, unknown>>;

/** VIA 2 saves projects as `{ _via_img_metadata: … }` and exports that part alone; VIA 1 knows only the part. */
function projectOf(value: unknown, source: string): { root: JSONObject; prefix: string } {
  const outer = isObject(value) ? value : {};
  const inner = outer['_via_img_metadata'];
  const root = isObject(inner) ? inner : outer;
  const entries = Object.values(root);
  const looksRight =
    entries.length > 0 && entries.every((entry) => isObject(entry) && 'filename' in entry && 'regions' in entry);
  if (looksRight) return { root, prefix: isObject(inner) ? '/_via_img_metadata' : '' };
  throw new RcnnError('DATASET_INVALID', {
    where: source,
    problem: 'this is not a VIA project',
    found: show(Object.keys(root).slice(0, 3)),
    expected: 'an object of images, each with filename and regions',
  });
}

/** Regions are a list (2.x) or an object with number keys (1.x). */
function regionsOf(fields: FieldReader, file: string, place: string): Region[] {
  const regions = fields.get('regions');
  return Object.entries(isObject(regions) || Array.isArray(regions) ? regions : {}).map(([key, region]) => ({
    file,
    place: `${place}/regions/${key}`,
    shape: isObject(region) ? region['shape_attributes'] : undefined,
    attributes: isObject(region) ? region['region_attributes'] : undefined,
  }));
}

function onlyAttribute(regions: readonly Region[]): string | undefined {
  const names = new Set(regions.flatMap(({ attributes }) => (isObject(attributes) ? Object.keys(attributes) : [])));
  return names.size === 1 ? [...names][0] : undefined;
}

/** An attribute is text, or for checkboxes an object of options that are set. */
function className(attributes: unknown, attribute: string | undefined): string | undefined {
  if (typeof attributes === 'string') return attributes || undefined;
  if (!isObject(attributes) || attribute === undefined || !Object.hasOwn(attributes, attribute)) return undefined;
  const value = attributes[attribute];
  if (typeof value === 'string') return value || undefined;
  if (isObject(value)) return Object.keys(value).find((key) => value[key] === true);
  return undefined;
}

/** The outline of a region, flat, or undefined when it was reported. */
function pointsOf(region: Region, source: string, problems: Problems, offset: number): Float64Array | undefined {
  const { shape, place } = region;
  const at = `${place}/shape_attributes`;
  const name = isObject(shape) ? shape['name'] : undefined;
  const numbers = (...keys: readonly string[]): number[] | undefined => {
    const values = keys.map((key) => (isObject(shape) ? shape[key] : undefined));
    if (values.every((value) => typeof value === 'number' && Number.isFinite(value))) return values as number[];
    problems.add({
      kind: 'field-type',
      source,
      place: at,
      found: `${show(shape)}, expected numbers ${keys.join(', ')}`,
    });
    return undefined;
  };
  if (name === 'polygon') return polygonPoints(shape as JSONObject, at, source, problems, offset);
  if (name === 'rect') {
    const box = numbers('x', 'y', 'width', 'height');
    if (box === undefined) return undefined;
    const [x, y, width, height] = box as [number, number, number, number];
    return Float64Array.of(x, y, x + width, y, x + width, y + height, x, y + height);
  }
  if (name === 'circle' || name === 'ellipse') {
    const radii = name === 'circle' ? ['r', 'r'] : ['rx', 'ry'];
    const found = numbers('cx', 'cy', ...radii);
    if (found === undefined) return undefined;
    const [cx, cy, rx, ry] = found as [number, number, number, number];
    const theta = isObject(shape) && typeof shape['theta'] === 'number' ? shape['theta'] : 0;
    return ellipsePoints(cx + offset, cy + offset, rx, ry, theta);
  }
  problems.add({ kind: 'region-unsupported', source, place: at, found: show(name) });
  return undefined;
}

function polygonPoints(
  shape: JSONObject,
  place: string,
  source: string,
  problems: Problems,
  offset: number,
): Float64Array | undefined {
  const [xs, ys] = [shape['all_points_x'], shape['all_points_y']];
  const bad = (
    kind: 'field-type' | 'polygon-odd' | 'polygon-short' | 'polygon-not-finite',
    found: string,
  ): undefined => {
    problems.add({ kind, source, place, found });
  };
  if (!Array.isArray(xs) || !Array.isArray(ys)) return bad('field-type', 'no lists all_points_x and all_points_y');
  if (xs.length !== ys.length) return bad('polygon-odd', `${xs.length} x and ${ys.length} y`);
  if (![...xs, ...ys].every(Number.isFinite)) return bad('polygon-not-finite', show(xs));
  if (xs.length < 3) return bad('polygon-short', `${xs.length} points`);
  return Float64Array.from({ length: xs.length * 2 }, (_, i) => (i % 2 === 0 ? xs : ys)[i >> 1] + offset);
}

function ellipsePoints(cx: number, cy: number, rx: number, ry: number, theta: number): Float64Array {
  const points = new Float64Array(2 * CIRCLE_POINTS);
  for (let i = 0; i < CIRCLE_POINTS; i++) {
    const t = (2 * Math.PI * i) / CIRCLE_POINTS;
    const [x, y] = [rx * Math.cos(t), ry * Math.sin(t)];
    points[2 * i] = cx + x * Math.cos(theta) - y * Math.sin(theta);
    points[2 * i + 1] = cy + x * Math.sin(theta) + y * Math.cos(theta);
  }
  return points;
}

/** `x1, y1, x2, y2` around a flat outline, clipped to the image where it overlaps it. */
function boxAround(points: Float64Array, [height, width]: ImageSize): [number, number, number, number] {
  let [x1, y1, x2, y2] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, -1, -1];
  for (let i = 0; i < points.length; i += 2) {
    x1 = Math.min(x1, points[i]!);
    x2 = Math.max(x2, points[i]!);
    y1 = Math.min(y1, points[i + 1]!);
    y2 = Math.max(y2, points[i + 1]!);
  }
  if (x1 >= width || y1 >= height || x2 <= 0 || y2 <= 0) return [x1, y1, x2, y2]; // outside: the check says so
  return [Math.max(0, x1), Math.max(0, y1), Math.min(width, x2), Math.min(height, y2)];
}

function polygonArea(points: Float64Array): number {
  let twice = 0;
  for (let i = 0; i < points.length; i += 2) {
    const j = (i + 2) % points.length;
    twice += points[i]! * points[j + 1]! - points[j]! * points[i + 1]!;
  }
  return Math.abs(twice) / 2;
}

function isObject(value: unknown): value is JSONObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A key as one step of a JSON pointer. */
function escapePointer(key: string): string {
  return key.replaceAll('~', '~0').replaceAll('/', '~1');
}

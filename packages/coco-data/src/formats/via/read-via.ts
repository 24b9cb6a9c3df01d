import type { ImageSize } from '@rcnn/core';
import { counted, isRcnnError, quoteName, RcnnError } from '@rcnn/core/errors';
import type { Problem, Problems } from '../../doctor/problems.ts';
import type { AnnotationRecord, AnnotationSet, Category, ImageRecord } from '../../records.ts';
import { FieldReader, numeric, show } from '../json/fields.ts';
import { boxAround, ellipseOutline, polygonArea } from '../outline.ts';
import { isVia3, PLACE, type PlacedRegion, via2Of } from './parse-via3.ts';
import { classRule, keysOf } from './region-class.ts';

export interface ViaOptions {
  /** Size of an image, which VIA does not store. Called once per image with regions or without. */
  readonly sizeOf: (file: string) => Promise<ImageSize>;
  /** Files by the names that the project has for them, where these differ. Default: names are files. */
  readonly filesOf?: (names: readonly string[]) => Promise<ReadonlyMap<string, string>>;
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

/**
 * Reads a VGG Image Annotator project (1.x, 2.x with or without its settings around it, or 3.x). Polygons, rectangles,
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
  const found: Problem[] = [];
  const { root, prefix } = projectOf(value, source, { add: (problem) => found.push(problem) });
  const regions: Region[] = [];
  const images: ImageRecord[] = [];
  const sizes = new Map<string, ImageSize>();
  const files = await options.filesOf?.(namesOf(root));
  for (const { imageId, ...problem } of found)
    problems.add({ ...problem, ...(imageId !== undefined && { imageId: files?.get(String(imageId)) ?? imageId }) });
  for (const [key, entry] of Object.entries(root)) {
    const place = `${prefix}/${escapePointer(key)}`;
    const fields = new FieldReader(entry, place, source, problems);
    const name = fields.failed ? '' : fields.text('filename');
    if (fields.failed) continue;
    const file = files?.get(name) ?? name;
    if (sizes.has(file)) {
      // Objects go by the name of their picture: those of two entries would all be on one.
      const found = `${file} has an entry before this one`;
      problems.add({ kind: 'duplicate-image-id', source, place: `${place}/filename`, found });
      continue;
    }
    const own = regionsOf(fields, file, source, ofImage(problems, file));
    const size = own && (await sizeOrProblem(file, place, source, problems, options.sizeOf));
    if (size === undefined) continue;
    images.push({ id: file, file, size, sizeOfFile: 'format', place });
    sizes.set(file, size);
    regions.push(...own!);
  }
  const { classAttribute, className: fallback } = options;
  const classOf = classRule(
    regions.map(({ attributes }) => attributes),
    source,
    classAttribute,
    fallback,
  );
  const classes = regions.map(({ attributes }) => classOf(attributes) ?? fallback);
  // Where no region has a class there is one; where some have, those without were forgotten.
  const alone = classes.every((name) => name === undefined) ? 'object' : undefined;
  const names = classes.map((name) => name ?? alone);
  if (alone !== undefined) reportUnsaid(regions, source, problems);
  const categories: Category[] = [...new Set(names.filter((name) => name !== undefined))]
    .sort()
    .map((name, i) => ({ id: i + 1, name }));
  if (categories.length === 0) categories.push({ id: 1, name: fallback ?? 'object' });
  const idOf = new Map(categories.map(({ id, name }) => [name, id]));
  const annotations: AnnotationRecord[] = [];
  for (const [i, region] of regions.entries()) {
    const name = names[i];
    if (name === undefined) {
      const found = 'no class, where others have one; className (--class-name) gives those a class';
      problems.add({
        kind: 'field-missing',
        source,
        place: `${region.place}/region_attributes`,
        found,
        imageId: region.file,
      });
      continue;
    }
    const points = pointsOf(region, source, ofImage(problems, region.file), options.offset ?? 0.5);
    if (points === undefined) continue;
    annotations.push({
      id: i + 1,
      imageId: region.file,
      categoryId: idOf.get(name)!,
      box: boxAround(points, sizes.get(region.file)!),
      segmentation: { kind: 'polygons', parts: [points] },
      crowd: false,
      area: polygonArea(points),
      place: region.place,
    });
  }
  return { source, images, annotations, categories };
}

/** Attributes without a value on any region may hold what nobody filled in: then one class for all is no answer in silence. */
function reportUnsaid(regions: readonly Region[], source: string, problems: Problems): void {
  const [first] = keysOf(regions.map(({ attributes }) => attributes));
  if (first === undefined) return;
  const found = `no region has a value in ${quoteName(first)}: all are 'object'; className (--class-name) names them`;
  problems.add({ kind: 'class-unsaid', source, place: `${regions[0]!.place}/region_attributes`, found });
}

function namesOf(root: JSONObject): readonly string[] {
  const names = Object.values(root).map((entry) => (isObject(entry) ? entry['filename'] : undefined));
  return names.filter((name) => typeof name === 'string');
}

/** One file that cannot be read costs that file: the others are read all the same. */
async function sizeOrProblem(
  file: string,
  place: string,
  source: string,
  problems: Problems,
  sizeOf: ViaOptions['sizeOf'],
): Promise<ImageSize | undefined> {
  try {
    return await sizeOf(file);
  } catch (error) {
    if (!isRcnnError(error)) throw error;
    const kind = FILE_PROBLEMS[error.code] ?? 'image-corrupt';
    problems.add({ kind, source, place: `${place}/filename`, found: error.message });
    return undefined;
  }
}

const FILE_PROBLEMS: Readonly<Record<string, 'image-missing' | 'path-refused'>> = {
  IMAGE_MISSING: 'image-missing',
  FILE_MISSING: 'image-missing',
  PATH_REFUSED: 'path-refused',
};

interface Region {
  readonly file: string;
  readonly place: string;
  readonly shape: unknown;
  readonly attributes: unknown;
}

type JSONObject = Readonly<Record<string, unknown>>;

/** VIA 2 saves projects as `{ _via_img_metadata: … }` and exports that part alone; VIA 1 knows only the part. */
function projectOf(value: unknown, source: string, problems: Reporter): { root: JSONObject; prefix: string } {
  if (isVia3(value)) return { root: via2Of(value, source, problems), prefix: '/file' };
  const outer = isObject(value) ? value : {};
  const inner = outer['_via_img_metadata'];
  const root = isObject(inner) ? inner : outer;
  const entries = Object.values(root);
  // One is enough: an entry that is spoiled costs that entry.
  const looksRight = entries.some((entry) => isObject(entry) && 'filename' in entry && 'regions' in entry);
  if (looksRight) return { root, prefix: isObject(inner) ? '/_via_img_metadata' : '' };
  throw new RcnnError('DATASET_INVALID', {
    where: source,
    problem: 'this is not a VIA project',
    found: show(Object.keys(root).slice(0, 3)),
    expected: 'an object of images, each with filename and regions',
  });
}

/** Regions are a list (2.x) or an object with number keys (1.x); undefined for anything else, which is reported. */
function regionsOf(fields: FieldReader, file: string, source: string, problems: Reporter): Region[] | undefined {
  const regions = fields.get('regions') ?? [];
  if (!isObject(regions) && !Array.isArray(regions)) {
    const found = `${show(regions)}, expected regions`;
    problems.add({ kind: 'field-type', source, place: `${fields.place}/regions`, found });
    return undefined;
  }
  return Object.entries(regions).map(([key, region]) => ({
    file,
    place: (isObject(region) && (region as Partial<PlacedRegion>)[PLACE]) || `${fields.place}/regions/${key}`,
    shape: isObject(region) ? region['shape_attributes'] : undefined,
    attributes: isObject(region) ? region['region_attributes'] : undefined,
  }));
}

type Reporter = Pick<Problems, 'add'>;

function ofImage(problems: Problems, imageId: string): Reporter {
  return { add: (problem) => problems.add({ ...problem, imageId }) };
}

/** The outline of a region, flat, or undefined when it was reported. */
function pointsOf(region: Region, source: string, problems: Reporter, offset: number): Float64Array | undefined {
  const { shape, place } = region;
  const at = `${place}/shape_attributes`;
  const name = isObject(shape) ? shape['name'] : undefined;
  const numbers = (...keys: readonly string[]): number[] | undefined => {
    const values = keys.map((key) => (isObject(shape) ? numeric(shape[key]) : undefined));
    if (values.every((value) => value !== undefined)) return values;
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
    return ellipseOutline(cx + offset, cy + offset, rx, ry, theta);
  }
  problems.add({ kind: 'region-unsupported', source, place: at, found: show(name) });
  return undefined;
}

function polygonPoints(
  shape: JSONObject,
  place: string,
  source: string,
  problems: Reporter,
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
  const [left, top] = [xs.map(numeric), ys.map(numeric)];
  if ([...left, ...top].includes(undefined)) return bad('polygon-not-finite', show(xs));
  if (xs.length < 3) return bad('polygon-short', counted(xs.length, 'point'));
  return Float64Array.from({ length: xs.length * 2 }, (_, i) => (i % 2 === 0 ? left : top)[i >> 1]! + offset);
}

function isObject(value: unknown): value is JSONObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A key as one step of a JSON pointer. */
function escapePointer(key: string): string {
  return key.replaceAll('~', '~0').replaceAll('/', '~1');
}

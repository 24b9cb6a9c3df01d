import { RcnnError } from '@rcnn/core/errors';
import type { Problems } from '../../doctor/problems.ts';
import { show } from '../json/fields.ts';

type JSONObject = Readonly<Record<string, unknown>>;

/** Shapes of VIA 3 by number; 1, 5, 6 and 8 (point, line, polyline, extreme points) have no area. */
const SHAPES: readonly string[] = [
  '',
  'point',
  'rect',
  'circle',
  'ellipse',
  'line',
  'polyline',
  'polygon',
  'extreme_rect',
  'extreme_circle',
];

/** Where a region stands in the project that it comes from. */
export const PLACE: unique symbol = Symbol('place');

export interface PlacedRegion {
  readonly [PLACE]: string;
}

/** Numbers of files that are no pictures: films and sounds. */
const FILMS: readonly unknown[] = [4, 8];

/** Whether a value is a project of VIA 3. */
export function isVia3(value: unknown): boolean {
  return isObject(value) && ['project', 'attribute', 'file', 'metadata', 'view'].every((key) => isObject(value[key]));
}

/**
 * A VIA 3 project as the older tool would have written it, so that one reader judges both: shapes by name, options of an
 * attribute by their text. Only what is drawn on still pictures is taken; times of films are left. Problems name the
 * picture of an object as the project does.
 * @throws DATASET_INVALID for a project of films or sounds alone
 */
export function via2Of(value: unknown, source: string, problems: Pick<Problems, 'add'>): JSONObject {
  const { file, metadata, attribute, view } = value as Record<string, JSONObject>;
  const regions = new Map<string, JSONObject[]>();
  const isPicture = (entry: unknown): boolean => !isObject(entry) || !FILMS.includes(entry['type']);
  for (const [key, entry] of Object.entries(metadata!)) {
    const place = `/metadata/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`;
    const id = isObject(entry) ? fileOf(entry['vid'], view!) : undefined;
    const named = id !== undefined && Object.hasOwn(file!, id) ? file![id] : undefined;
    const imageId = isObject(named) && typeof named['fname'] === 'string' ? named['fname'] : undefined;
    const report = (field: string, found: string): void =>
      problems.add({
        kind: 'field-type',
        source,
        place: `${place}${field}`,
        found,
        ...(imageId !== undefined && { imageId }),
      });
    if (!isObject(entry) || !Array.isArray(entry['xy'])) {
      report('', `${show(entry)}, expected an object with a list xy`);
      continue;
    }
    if (entry['xy'].length === 0) continue; // a piece of a film, or what is said of a whole picture
    if (id === undefined || !Object.hasOwn(file!, id)) {
      report('/vid', `${show(entry['vid'])}, expected a view of one of the files`);
      continue;
    }
    const region: JSONObject & PlacedRegion = {
      [PLACE]: place,
      shape_attributes: shapeOf(entry['xy']),
      region_attributes: attributesOf(entry['av'], attribute!),
    };
    const list = regions.get(id);
    if (list === undefined) regions.set(id, [region]);
    else list.push(region);
  }
  const images: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  for (const [id, entry] of Object.entries(file!)) {
    if (!isPicture(entry)) continue;
    images[id] = isObject(entry) ? { filename: entry['fname'], regions: regions.get(id) ?? [] } : entry;
  }
  if (Object.keys(images).length > 0) return images;
  throw new RcnnError('DATASET_INVALID', {
    where: source,
    problem: 'this VIA 3 project has no pictures',
    hint: 'Films and sounds have no objects in pictures.',
  });
}

/** Annotations name a view, a view its files; several are pictures beside each other, and which is meant is not said. */
function fileOf(vid: unknown, view: JSONObject): string | undefined {
  const key = String(vid);
  const entry = Object.hasOwn(view, key) ? view[key] : undefined;
  const list = isObject(entry) ? entry['fid_list'] : undefined;
  if (list === undefined) return key;
  return Array.isArray(list) && list.length === 1 ? String(list[0]) : undefined;
}

function shapeOf([kind, ...numbers]: readonly unknown[]): JSONObject {
  const name = SHAPES[kind as number] ?? String(kind);
  const [a, b, c, d] = numbers;
  if (name === 'rect') return { name, x: a, y: b, width: c, height: d };
  if (name === 'circle') return { name, cx: a, cy: b, r: c };
  if (name === 'ellipse') return { name, cx: a, cy: b, rx: c, ry: d };
  if (name !== 'polygon') return { name };
  return {
    name,
    all_points_x: numbers.filter((_, i) => i % 2 === 0),
    all_points_y: numbers.filter((_, i) => i % 2 === 1),
  };
}

/** Values are keys of options, several for checkboxes; the texts of the options are what people see. */
function attributesOf(values: unknown, attribute: JSONObject): JSONObject {
  const found: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  if (!isObject(values)) return found;
  for (const [id, value] of Object.entries(values)) {
    const own = Object.hasOwn(attribute, id) ? attribute[id] : undefined;
    const { aname, options }: JSONObject = isObject(own) ? own : {};
    const text = String(value);
    const named = isObject(options) && Object.hasOwn(options, text) ? options[text] : undefined;
    found[typeof aname === 'string' && aname !== '' ? aname : id] = typeof named === 'string' ? named : value;
  }
  return found;
}

function isObject(value: unknown): value is JSONObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

import { RcnnError } from '@rcnn/core/errors';

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

/** Whether a value is a project of VIA 3. */
export function isVia3(value: unknown): boolean {
  return isObject(value) && ['project', 'attribute', 'file', 'metadata', 'view'].every((key) => isObject(value[key]));
}

/**
 * A VIA 3 project as the older tool would have written it, so that one reader judges both: shapes by name, options of an
 * attribute by their text. Only what is drawn on still pictures is taken; times of films are left.
 * @throws DATASET_INVALID for a project of films or sounds alone
 */
export function via2Of(value: unknown, source: string): JSONObject {
  const { file, metadata, attribute, view } = value as Record<string, JSONObject>;
  const regions = new Map<string, JSONObject[]>();
  for (const entry of Object.values(metadata!)) {
    if (!isObject(entry) || !Array.isArray(entry['xy']) || entry['xy'].length === 0) continue;
    const id = fileOf(entry['vid'], view!);
    const region = { shape_attributes: shapeOf(entry['xy']), region_attributes: attributesOf(entry['av'], attribute!) };
    const list = regions.get(id);
    if (list === undefined) regions.set(id, [region]);
    else list.push(region);
  }
  const images: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  for (const [id, entry] of Object.entries(file!)) {
    if (!isObject(entry) || (entry['type'] !== undefined && entry['type'] !== 2)) continue; // 2: a still picture
    images[id] = { filename: entry['fname'], regions: regions.get(id) ?? [] };
  }
  if (Object.keys(images).length > 0) return images;
  throw new RcnnError('DATASET_INVALID', {
    where: source,
    problem: 'this VIA 3 project has no pictures',
    hint: 'Films and sounds have no objects in pictures.',
  });
}

/** Annotations name a view, a view its files. */
function fileOf(vid: unknown, view: JSONObject): string {
  const key = String(vid);
  const entry = Object.hasOwn(view, key) ? view[key] : undefined;
  const list = isObject(entry) ? entry['fid_list'] : undefined;
  return Array.isArray(list) && list.length > 0 ? String(list[0]) : key;
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
    const definition = Object.hasOwn(attribute, id) ? attribute[id] : undefined;
    if (!isObject(definition) || typeof definition['aname'] !== 'string') continue;
    const options = isObject(definition['options']) ? definition['options'] : {};
    const text = String(value);
    const named = Object.hasOwn(options, text) ? options[text] : undefined;
    found[definition['aname']] = typeof named === 'string' ? named : value;
  }
  return found;
}

function isObject(value: unknown): value is JSONObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

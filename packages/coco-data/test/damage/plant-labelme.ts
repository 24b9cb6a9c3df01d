// labelme's files, damaged.
import { join } from 'node:path';
import type { Allowed, Damaged, DamagedPlace, Plant } from './damaged.ts';
import { spoilAnywhere } from './nonsense.ts';
import { type Json, labelmeJson, put, putPictures } from './original.ts';
import { HEIGHT, type Part, raster, WIDTH } from './picture.ts';
import { maybeSpoilPicture } from './plant-files.ts';

const SHAPES: readonly Json[] = [
  { shape_type: 'point', points: [[3, 4]] },
  {
    shape_type: 'linestrip',
    points: [
      [3, 4],
      [9, 9],
    ],
  },
  {
    points: [
      [3, 4],
      [9, 9],
    ],
  },
  {
    shape_type: 'rectangle',
    points: [
      [500, 500],
      [510, 510],
    ],
  },
  {
    shape_type: 'circle',
    points: [
      [5, 5],
      [5, 5],
    ],
  },
  { shape_type: 'mask', mask: 'AAAA' },
  { points: [['a', 2]] },
  { label: null },
  { label: '' },
];

const FIELDS: readonly Json[] = [
  { imageWidth: WIDTH - 7 },
  { imageWidth: HEIGHT, imageHeight: WIDTH },
  { imageWidth: 2 * WIDTH, imageHeight: 2 * HEIGHT },
  { imageHeight: 0 },
  { imageWidth: null, imageHeight: null },
  { imagePath: '' },
  { imagePath: 'C:\\elsewhere\\renamed.jpg' },
  { imagePath: '../outside.png' },
  { shapes: null },
  { shapes: 'none' },
];

export const plantLabelme: Plant = async (folder, splits, random) => {
  const story: string[] = [];
  const damaged: Damaged[] = [];
  for (const split of splits) {
    await putPictures(join(folder, split.name), split.images);
    const files = new Map<string, unknown>(split.images.map((image) => [image.file, labelmeJson(image)]));
    const broken = new Set<string>();
    const touched = new Set<string>();
    let classesTouched = false;
    for (let i = random.integer(5); i > 0; i--) {
      const { file } = random.pick(split.images);
      const json = files.get(file);
      if (!isRecord(json)) continue;
      touched.add(file);
      const shapes = Array.isArray(json['shapes']) ? (json['shapes'] as unknown[]) : [];
      const shape = shapes.length > 0 ? random.pick(shapes) : undefined;
      if (random.chance(0.35) && isRecord(shape)) Object.assign(shape, structuredClone(random.pick(SHAPES)));
      else if (random.chance(0.35)) Object.assign(json, structuredClone(random.pick(FIELDS)));
      else if (random.chance(0.15)) json['imagePath'] = random.pick(split.images).file;
      else if (random.chance(0.1)) broken.add(file);
      else {
        classesTouched = true;
        story.push(`${split.name} ${file}: ${spoilAnywhere(json, random, 1).join('/')}`);
        continue;
      }
      story.push(`${split.name} ${file}: shape or field`);
    }
    const places: DamagedPlace[] = [];
    const perFile = new Map<string, number>();
    const saying = new Map<string, Part[][]>();
    for (const { file } of split.images) {
      const stem = file.slice(0, -4);
      const text = JSON.stringify(files.get(file));
      put(folder, `${split.name}/${stem}.json`, broken.has(file) ? text.slice(0, text.length - 9) : text);
      const fault = maybeSpoilPicture(join(folder, split.name, file), random);
      if (fault !== undefined) story.push(`${split.name} ${file}: ${fault}`);
      const plain = JSON.parse(text) as Json;
      const shapes = Array.isArray(plain['shapes']) ? (plain['shapes'] as unknown[]) : [];
      const groups = new Map<string, number>();
      for (const [i, shape] of shapes.entries()) {
        const { group_id: group, label } = isRecord(shape) ? shape : {};
        const key = Number.isSafeInteger(group) ? `${String(group)} ${String(label)}` : `shape ${i}`;
        groups.set(key, (groups.get(key) ?? 0) + 1);
        const container = `${stem}.json`;
        places.push({ place: `${container} shape ${i + 1}`, object: `${container} ${key}`, container });
      }
      if (groups.size > 0) perFile.set(file, groups.size);
      if (touched.has(file)) saying.set(file, regionsOf(shapes));
    }
    // An imagePath may name any picture of the set.
    const said = (_: string, size: readonly [number, number]): Allowed[] =>
      [...saying.values()].flat().map((parts) => ({ className: undefined, bits: raster(parts, size) }));
    const containers = split.images.map(({ file }) => `${file.slice(0, -4)}.json`);
    damaged.push({
      split,
      objects: new Set(places.map(({ object }) => object)).size,
      images: split.images.length,
      said: touched.size > 0 ? said : () => [],
      classesTouched,
      perFile,
      places,
      containers,
    });
  }
  return { damaged, story };
};

/** The region of every shape, as the shape now says it, and that of all shapes of a group together. */
function regionsOf(shapes: readonly unknown[]): Part[][] {
  const groups = new Map<unknown, Part[]>();
  const alone = shapes.flatMap((shape) => {
    const group = isRecord(shape) ? shape['group_id'] : undefined;
    const parts = regionOf(shape);
    if (Number.isSafeInteger(group)) groups.set(group, [...(groups.get(group) ?? []), ...parts.flat()]);
    return parts;
  });
  return [...alone, ...groups.values()];
}

function regionOf(shape: unknown): Part[][] {
  const { points, shape_type: type } = isRecord(shape) ? shape : {};
  if (!Array.isArray(points) || !points.every((point) => Array.isArray(point) && point.length === 2)) return [];
  const part = points.map((point: unknown[]) => [Number(point[0]), Number(point[1])] as const);
  const [first, second] = part;
  if (first === undefined || second === undefined) return [];
  if (type === 'rectangle' && part.length === 2)
    return [[[first, [second[0], first[1]] as const, second, [first[0], second[1]] as const]]];
  if (type !== 'circle') return [[part]];
  const radius = Math.hypot(second[0] - first[0], second[1] - first[1]);
  const corner = (i: number) => [first[0] + radius * Math.cos(i / 10), first[1] + radius * Math.sin(i / 10)] as const;
  return [[Array.from({ length: 63 }, (_, i) => corner(i))]];
}

function isRecord(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

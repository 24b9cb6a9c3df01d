// VIA projects of version 2 and 3, damaged.
import { join } from 'node:path';
import type { Random } from '@rcnn/core/random';
import type { Allowed, Damaged, DamagedPlace, Plant } from './damaged.ts';
import { spoilAnywhere } from './nonsense.ts';
import { type Json, type OriginalSplit, put, putPictures, via3Json, viaJson } from './original.ts';
import { boxPart, type Part, raster } from './picture.ts';
import { maybeSpoilPicture } from './plant-files.ts';

const SHAPES: readonly unknown[] = [
  { name: 'point', cx: 3, cy: 4 },
  { name: 'polyline', all_points_x: [1, 2], all_points_y: [3, 4] },
  { name: 'polygon', all_points_x: [1, 2], all_points_y: [3, 4] },
  { name: 'polygon', all_points_x: [1, 2, 3], all_points_y: [3, 4] },
  { name: 'polygon', all_points_x: ['a', 2, 3], all_points_y: [3, 4, 9] },
  { name: 'rect', x: 1, y: 2, height: 4 },
  { name: 'rect', x: 500, y: 500, width: 3, height: 4 },
  { name: 'rect', x: 5, y: 5, width: 0, height: 4 },
  { name: 'ellipse', cx: 5, cy: 5, rx: 2 },
  null,
];

const XY: readonly unknown[] = [
  [1, 3, 4],
  [6, 1, 3, 2, 4],
  [7, 1, 3, 2, 4],
  [7, 1, 3, 2, 4, 3],
  [7, 'a', 3, 2, 4, 3, 9],
  [2, 1, 2, 4],
  [2, 500, 500, 3, 4],
  [9, 1, 1, 1],
  ['7', 1],
  'xy',
];

/** Objects of one part: a second would be an object of its own. */
function onePart(splits: readonly OriginalSplit[]): readonly OriginalSplit[] {
  return splits.map(({ name, images }) => ({
    name,
    images: images.map(({ file, objects }) => ({
      file,
      objects: objects.map((object) => ({ ...object, parts: object.parts.slice(0, 1) })),
    })),
  }));
}

export const plantVia: Plant = (folder, splits, random) => plantAny(folder, splits, random, damageVia2);
export const plantVia3: Plant = (folder, splits, random) => plantAny(folder, splits, random, damageVia3);

type Damage = (split: OriginalSplit, random: Random, story: string[]) => { json: Json; damaged: Damaged };

async function plantAny(
  folder: string,
  all: readonly OriginalSplit[],
  random: Random,
  damage: Damage,
): ReturnType<Plant> {
  const story: string[] = [];
  const damaged: Damaged[] = [];
  for (const split of onePart(all)) {
    await putPictures(join(folder, split.name), split.images);
    const told: string[] = [];
    const one = damage(split, random, told);
    for (const { file } of split.images) {
      const fault = maybeSpoilPicture(join(folder, split.name, file), random);
      if (fault !== undefined) told.push(`${fault}: ${file}`);
    }
    put(folder, `${split.name}/via_region_data.json`, JSON.stringify(one.json));
    story.push(...told.map((what) => `${split.name}: ${what}`));
    damaged.push(one.damaged);
  }
  return { damaged, story };
}

const damageVia2: Damage = (split, random, story) => {
  const json = viaJson(split);
  let classesTouched = false;
  const touched = new Set<string>();
  for (let i = random.integer(5); i > 0; i--) {
    const image = random.pick(split.images);
    const key = `${image.file}1`;
    touched.add(key);
    const entry = json[key] as Json;
    const regions = isRecord(entry) && Array.isArray(entry['regions']) ? (entry['regions'] as unknown[]) : [];
    const region = regions.length > 0 ? random.pick(regions) : undefined;
    if (random.chance(0.4) && isRecord(region)) region['shape_attributes'] = structuredClone(random.pick(SHAPES));
    else if (random.chance(0.1) && isRecord(entry)) entry['filename'] = random.pick(split.images).file;
    else {
      const path = spoilAnywhere({ [key]: json[key] }, random, 1);
      if (path.length === 1) json[key] = null;
      classesTouched = true;
      story.push(path.join('/'));
      continue;
    }
    story.push(`${key}: shape or name`);
  }
  const plain = JSON.parse(JSON.stringify(json)) as Json;
  const places: DamagedPlace[] = [];
  const perFile = new Map<string, number>();
  for (const [key, entry] of Object.entries(plain)) {
    const regions = isRecord(entry) ? entry['regions'] : undefined;
    const keys = isRecord(regions) || Array.isArray(regions) ? Object.keys(regions) : [];
    for (const name of keys) places.push({ place: `/${key}/regions/${name}`, container: `/${key}` });
    const file = key.slice(0, -1);
    if (keys.length > 0) perFile.set(file, keys.length);
  }
  const said: Damaged['said'] = (file, size) =>
    [...touched].flatMap((key) => {
      const entry = plain[key];
      if (!isRecord(entry) || entry['filename'] !== file) return [];
      const regions = entry['regions'];
      return Object.values(isRecord(regions) || Array.isArray(regions) ? regions : {}).flatMap((region: unknown) =>
        isRecord(region) ? allowed(shapePart(region['shape_attributes']), size) : [],
      );
    });
  const containers = Object.keys(plain).map((key) => `/${key}`);
  const counts = { objects: places.length, images: containers.length };
  return { json, damaged: { split, ...counts, said, classesTouched, perFile, places, containers } };
};

const damageVia3: Damage = (split, random, story) => {
  const json = via3Json(split);
  let classesTouched = false;
  const touchedFiles = new Set<string>();
  const metadata = json['metadata'] as Json;
  for (let i = random.integer(5); i > 0; i--) {
    const key = random.pick(Object.keys(metadata));
    const entry = metadata[key];
    touchedFiles.add('all'); // a view or a file may now be another's
    if (random.chance(0.4) && isRecord(entry)) {
      entry['xy'] = structuredClone(random.pick(XY));
      story.push(`${key}: ${JSON.stringify(entry['xy'])}`);
      continue;
    }
    classesTouched = true;
    story.push(spoilAnywhere(json, random, 2).join('/'));
  }
  const plain = JSON.parse(JSON.stringify(json)) as Record<string, Json>;
  const fileOf = (vid: unknown): string | undefined => {
    const view = plain['view']![String(vid)];
    const list = isRecord(view) ? view['fid_list'] : undefined;
    if (list === undefined) return String(vid);
    return Array.isArray(list) && list.length === 1 ? String(list[0]) : undefined;
  };
  const places: (DamagedPlace & { readonly xy: unknown })[] = [];
  const perFile = new Map<string, number>();
  for (const [key, entry] of Object.entries(plain['metadata']!)) {
    const xy = isRecord(entry) ? entry['xy'] : undefined;
    if (Array.isArray(xy) && xy.length === 0) continue;
    const fid = isRecord(entry) ? fileOf(entry['vid']) : undefined;
    places.push({ place: `/metadata/${key}`, container: `/file/${fid}`, xy });
    const file = isRecord(plain['file']![fid ?? '']) ? (plain['file']![fid!] as Json)['fname'] : undefined;
    if (typeof file === 'string') perFile.set(file, (perFile.get(file) ?? 0) + 1);
  }
  const said: Damaged['said'] = (file, size) =>
    touchedFiles.size === 0
      ? []
      : places.flatMap(({ container, xy }) => {
          const entry = plain['file']![container.slice('/file/'.length)];
          return isRecord(entry) && entry['fname'] === file ? allowed(xyPart(xy), size) : [];
        });
  const containers = Object.keys(plain['file']!).map((key) => `/file/${key}`);
  const counts = { objects: places.length, images: containers.length };
  return { json, damaged: { split, ...counts, said, classesTouched, perFile, places, containers } };
};

function allowed(part: Part | undefined, size: readonly [number, number]): Allowed[] {
  return part === undefined ? [] : [{ className: undefined, bits: raster([part], size) }];
}

function xyPart(xy: unknown): Part | undefined {
  if (!Array.isArray(xy)) return undefined;
  const [kind, ...numbers] = xy as [unknown, ...number[]];
  if (kind === 2) return boxPart(numbers);
  if (kind !== 7 || numbers.length < 6) return undefined;
  return Array.from({ length: numbers.length >> 1 }, (_, i) => [numbers[2 * i]! + 0.5, numbers[2 * i + 1]! + 0.5]);
}

function shapePart(shape: unknown): Part | undefined {
  if (!isRecord(shape)) return undefined;
  const { name, x, y, width, height, all_points_x: xs, all_points_y: ys } = shape;
  if (name === 'rect') return boxPart([x, y, width, height].map(Number));
  if (name !== 'polygon' || !Array.isArray(xs) || !Array.isArray(ys)) return undefined;
  return xs.map((px, i): [number, number] => [Number(px) + 0.5, Number(ys[i]) + 0.5]);
}

function isRecord(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

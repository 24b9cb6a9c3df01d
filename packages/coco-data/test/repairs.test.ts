// The promise of `doctor --fix`, held against pictures in which every object has a colour of its own: each object of the
// copy lies on an object of the original, and nothing is missing that is not listed.
// By default 500 damaged sets; RCNN_DAMAGED_SETS=2000 takes more, RCNN_DAMAGED_SEED another first seed.
import { existsSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isRcnnError } from '@rcnn/core/errors';
import { Random } from '@rcnn/core/random';
import { Mask } from '@rcnn/masks';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { inspectDataset, repairDataset } from '../src/node/index.ts';
import { COCO_FAULTS, damage, type Victim } from './damage/faults.ts';
import {
  type CocoJson,
  cocoJson,
  drawSplits,
  type Json,
  type OriginalSplit,
  put,
  putPictures,
  viaJson,
  vocXml,
} from './damage/original.ts';
import { boxPart, type Part, pictureFile, raster, seen } from './damage/picture.ts';
import { temporaryFolder } from './folders.ts';

const SETS = Number(process.env['RCNN_DAMAGED_SETS'] ?? 500);
const FIRST = Number(process.env['RCNN_DAMAGED_SEED'] ?? 1);
const root = temporaryFolder();

interface Copy {
  readonly images: readonly {
    readonly id: number;
    readonly file_name: string;
    readonly width: number;
    readonly height: number;
  }[];
  readonly annotations: readonly CopiedObject[];
  readonly categories: readonly { readonly id: number; readonly name: string }[];
}

interface CopiedObject {
  readonly image_id: number;
  readonly category_id: number;
  readonly bbox: readonly number[];
  readonly segmentation?:
    | readonly number[][]
    | { readonly size: readonly [number, number]; readonly counts: string | number[] };
}

interface Listed {
  readonly of: string;
  readonly account: {
    readonly images: { readonly original: number; readonly copy: number; readonly leftOut: number };
    readonly objects: { readonly original: number; readonly copy: number; readonly leftOut: number };
    readonly isLossy: boolean;
  };
  readonly repairs: readonly {
    readonly split: string;
    readonly action: string;
    readonly place: string;
    readonly what: string;
  }[];
}

/** Regions that an object of the copy may be: what was drawn, and what a damaged record still said. */
interface Allowed {
  readonly className: string | undefined;
  readonly bits: Uint8Array;
}

interface Damaged {
  readonly split: OriginalSplit;
  /** How many objects and images its file names. */
  readonly objects: number;
  readonly images: number;
  /** Of records that were changed in their place, by file. */
  readonly said: (file: string, size: readonly [number, number]) => readonly Allowed[];
  readonly classesTouched: boolean;
  /** Objects per file, by the damaged annotations. */
  readonly perFile: ReadonlyMap<string, number>;
}

describe('each fault of COCO files alone', () => {
  test.each(Object.keys(COCO_FAULTS))('%s', async (name) => {
    await holds('coco', 1, [name]);
  });
});

describe(`${SETS} damaged sets`, () => {
  test.each(['coco', 'via', 'voc'] as const)('%s', { timeout: 3_600_000 }, async (format) => {
    const share = { coco: 0.6, via: 0.2, voc: 0.2 }[format];
    for (let seed = FIRST; seed < FIRST + Math.round(SETS * share); seed++) await holds(format, seed);
  });
});

async function holds(format: 'coco' | 'via' | 'voc', seed: number, faults?: readonly string[]): Promise<void> {
  const random = new Random(seed).fork(format, ...(faults ?? []));
  const folder = join(root, `${format}-${seed}`);
  const copy = `${folder}-copy`;
  const splits = drawSplits(random);
  const plant = { coco: plantCoco, via: plantVia, voc: plantVoc }[format];
  const { damaged, story } = await plant(folder, splits, random, faults);
  const told = `${format} ${seed}: ${story.join(', ')}`;
  try {
    const { account } = await repairDataset(await inspectDataset(folder), copy);
    await compare(copy, damaged);
    expect(account.isLossy).toBe(isLossy(copy, damaged));
    // The copy is a dataset without faults of its own.
    const after = await inspectDataset(copy);
    const errors = after.report.problems.filter(
      ({ severity, kind }) => severity === 'error' && kind !== 'duplicate-across-splits',
    );
    expect(errors).toEqual([]);
  } catch (error) {
    if (!isRcnnError(error)) throw new Error(`${told} (${folder})`, { cause: error });
    refused.push(`${told}: ${error.message}`); // as a whole, with a reason
  }
  sets++;
  rmSync(folder, { recursive: true, force: true });
  rmSync(copy, { recursive: true, force: true });
}

/** A set whose files cannot be read at all may be refused as a whole; were that common, nothing would be tested here. */
let sets = 0;
const refused: string[] = [];

type Plant = (
  folder: string,
  splits: readonly OriginalSplit[],
  random: Random,
  faults?: readonly string[],
) => Promise<{ damaged: readonly Damaged[]; story: readonly string[] }>;

const plantCoco: Plant = async (folder, splits, random, faults) => {
  const damaged: Damaged[] = [];
  const story: string[] = [];
  for (const split of splits) {
    const json = cocoJson(split, random);
    const names = json.images.map(({ file_name }) => file_name as string);
    const victim: Victim = {
      json,
      random,
      touched: new Set(),
      touchedImages: new Set(),
      classesTouched: false,
      files: new Map(),
    };
    if (faults) for (const name of faults) COCO_FAULTS[name]!(victim);
    else if (random.chance(0.8)) story.push(...damage(victim).map((name) => `${split.name}: ${name}`));
    put(folder, `annotations/instances_${split.name}.json`, JSON.stringify(json));
    await putPictures(join(folder, split.name), split.images);
    for (const [index, fault] of victim.files) {
      const record = json.images.find(({ file_name }) => file_name === names[index]) ?? json.images[index];
      // A smaller picture, a record without a size and objects that happen to fit it: nobody could see that.
      if (fault === 'resized' && record?.['width'] === undefined && record?.['height'] === undefined) continue;
      await spoil(join(folder, split.name, names[index]!), split, index, fault);
    }
    damaged.push(damagedCoco(split, JSON.parse(JSON.stringify(json)) as CocoJson, victim));
  }
  return { damaged, story: faults ?? story };
};

async function spoil(path: string, split: OriginalSplit, index: number, fault: string): Promise<void> {
  if (fault === 'gone') rmSync(path, { force: true });
  else if (fault === 'cut') truncateSync(path, 60);
  else if (fault === 'empty') writeFileSync(path, '');
  else if (fault === 'text') writeFileSync(path, 'not a picture');
  else if (fault === 'resized') {
    const half = await sharp(await pictureFile(split.images[index]!.objects, 'png'))
      .resize(32, 24, { kernel: 'nearest' })
      .png()
      .toBuffer();
    writeFileSync(path, half);
  } else writeFileSync(path, await pictureFile(split.images[index]!.objects, 'jpg', fault === 'turned right' ? 6 : 8));
}

function damagedCoco(split: OriginalSplit, json: CocoJson, victim: Victim): Damaged {
  const files = new Map<string, string>();
  for (const image of json.images) if (isRecord(image)) files.set(String(image['id']), String(image['file_name']));
  const perFile = new Map<string, number>();
  for (const record of json.annotations) {
    const file = isRecord(record) ? files.get(String(record['image_id'])) : undefined;
    if (file !== undefined) perFile.set(file, (perFile.get(file) ?? 0) + 1);
  }
  const said: Damaged['said'] = (file, size) =>
    [...victim.touched].flatMap((index) => {
      const record = json.annotations[index];
      if (!isRecord(record) || files.get(String(record['image_id'])) !== file) return [];
      return regionsOf(record).map((parts) => ({ className: undefined, bits: raster(parts, size) }));
    });
  return {
    split,
    objects: json.annotations.length,
    images: json.images.length,
    said,
    classesTouched: victim.classesTouched,
    perFile,
  };
}

/** What a record says of its place: its box, its polygons together and one by one. */
function regionsOf(record: Json): Part[][] {
  const regions: Part[][] = [];
  const box = record['bbox'];
  if (Array.isArray(box) && box.length === 4) regions.push([boxPart(box.map(Number))]);
  const value = record['segmentation'];
  const lists = Array.isArray(value) ? (value.every((item) => typeof item === 'number') ? [value] : value) : [];
  const parts = lists
    .filter((part): part is number[] => Array.isArray(part) && part.length >= 6 && part.every(Number.isFinite))
    .map((part) => Array.from({ length: part.length >> 1 }, (_, i) => [part[2 * i]!, part[2 * i + 1]!] as const));
  if (parts.length > 0) regions.push(parts, ...parts.map((part) => [part]));
  return regions;
}

const VIA_FAULTS: Readonly<Record<string, (regions: Json[], entry: Json, random: Random) => void>> = {
  'a point': (regions, _, random) => spoilShape(regions, random, { name: 'point', cx: 3, cy: 4 }),
  'a line': (regions, _, random) =>
    spoilShape(regions, random, { name: 'polyline', all_points_x: [1, 2], all_points_y: [3, 4] }),
  'two corners': (regions, _, random) =>
    spoilShape(regions, random, { name: 'polygon', all_points_x: [1, 2], all_points_y: [3, 4] }),
  'more x than y': (regions, _, random) =>
    spoilShape(regions, random, { name: 'polygon', all_points_x: [1, 2, 3], all_points_y: [3, 4] }),
  'text for numbers': (regions, _, random) =>
    spoilShape(regions, random, { name: 'polygon', all_points_x: ['a', 2, 3], all_points_y: [3, 4, 9] }),
  'a rectangle without width': (regions, _, random) =>
    spoilShape(regions, random, { name: 'rect', x: 1, y: 2, height: 4 }),
  'no shape': (regions, _, random) => spoilShape(regions, random, null),
  'far outside': (regions, _, random) =>
    spoilShape(regions, random, { name: 'rect', x: 500, y: 500, width: 3, height: 4 }),
  'no file name': (_, entry) => void Reflect.deleteProperty(entry, 'filename'),
  'file name of a number': (_, entry) => (entry['filename'] = 7),
};

function spoilShape(regions: Json[], random: Random, shape: Json | null): void {
  if (regions.length > 0) regions[random.integer(regions.length)]!['shape_attributes'] = shape;
}

const plantVia: Plant = async (folder, all, random) => {
  // A second part would be an object of its own.
  const splits = all.map(({ name, images }) => ({
    name,
    images: images.map(({ file, objects }) => ({
      file,
      objects: objects.map((object) => ({ ...object, parts: object.parts.slice(0, 1) })),
    })),
  }));
  const story: string[] = [];
  const damaged: Damaged[] = [];
  for (const split of splits) {
    const json = viaJson(split);
    const perFile = new Map(split.images.map(({ file, objects }) => [file, objects.length]));
    await putPictures(join(folder, split.name), split.images);
    for (let i = random.integer(4); i > 0; i--) {
      const name = random.pick([...Object.keys(VIA_FAULTS), 'picture gone', 'picture cut']);
      const image = random.pick(split.images);
      story.push(`${split.name}: ${name} in ${image.file}`);
      const path = join(folder, split.name, image.file);
      if (name === 'picture gone') rmSync(path, { force: true });
      else if (name === 'picture cut' && existsSync(path)) truncateSync(path, 60);
      else {
        const entry = json[`${image.file}1`] as Json;
        VIA_FAULTS[name]?.(entry['regions'] as Json[], entry, random);
      }
    }
    put(folder, `${split.name}/via_region_data.json`, JSON.stringify(json));
    damaged.push(damagedPlain(split, perFile));
  }
  return { damaged, story };
};

const VOC_FAULTS: Readonly<Record<string, (xml: string) => string>> = {
  'size zero': (xml) => xml.replace(/<width>\d+/, '<width>0').replace(/<height>\d+/, '<height>0'),
  'no size': (xml) => xml.replace(/<size>.*<\/size>/, ''),
  'no box': (xml) => xml.replace(/<bndbox>.*?<\/bndbox>/, ''),
  'a side of text': (xml) => xml.replace(/<xmin>\d+/, '<xmin>nan'),
  'sides swapped': (xml) => xml.replace(/<xmin>(\d+)<\/xmin>(.*?)<xmax>(\d+)/, '<xmin>$3</xmin>$2<xmax>$1'),
  'no name': (xml) => xml.replace(/<name>.*?<\/name>/, ''),
  'cut short': (xml) => xml.slice(0, xml.length >> 1),
  'a DOCTYPE': (xml) => `<!DOCTYPE annotation [<!ENTITY a "b">]>${xml}`,
  'nothing in it': () => '',
  'another root': (xml) => xml.replaceAll('annotation>', 'other>'),
};

const plantVoc: Plant = async (folder, splits, random) => {
  const story: string[] = [];
  const damaged: Damaged[] = [];
  for (const split of splits) {
    const perFile = new Map(split.images.map(({ file, objects }) => [file, objects.length]));
    await putPictures(join(folder, 'JPEGImages'), split.images);
    put(folder, `ImageSets/Main/${split.name}.txt`, split.images.map(({ file }) => `${file.slice(0, -4)}\n`).join(''));
    const texts = new Map(split.images.map((image) => [image.file, vocXml(image)]));
    for (let i = random.integer(4); i > 0; i--) {
      const name = random.pick([...Object.keys(VOC_FAULTS), 'picture gone', 'picture cut']);
      const { file } = random.pick(split.images);
      story.push(`${split.name}: ${name} in ${file}`);
      const path = join(folder, 'JPEGImages', file);
      if (name === 'picture gone') rmSync(path, { force: true });
      else if (name === 'picture cut' && existsSync(path)) truncateSync(path, 60);
      else texts.set(file, VOC_FAULTS[name]?.(texts.get(file)!) ?? texts.get(file)!);
    }
    for (const [file, text] of texts) put(folder, `Annotations/${file.slice(0, -4)}.xml`, text);
    damaged.push(damagedPlain(split, perFile));
  }
  return { damaged, story };
};

function damagedPlain(split: OriginalSplit, perFile: ReadonlyMap<string, number>): Damaged {
  const objects = [...perFile.values()].reduce((sum, count) => sum + count, 0);
  return { split, objects, images: split.images.length, said: () => [], classesTouched: false, perFile };
}

async function compare(copy: string, damaged: readonly Damaged[]): Promise<void> {
  const listed = JSON.parse(readFileSync(join(copy, 'repairs.json'), 'utf8')) as Listed;
  let [copiedObjects, copiedImages] = [0, 0];
  for (const one of damaged) {
    const { split } = one;
    const repairs = listed.repairs.filter((repair) => repair.split === split.name);
    const out = (action: string): number =>
      new Set(repairs.filter((repair) => repair.action === action).map(({ place }) => place)).size;
    const path = join(copy, `annotations/instances_${split.name}.json`);
    if (!existsSync(path)) {
      expect(out('left out file')).toBe(1);
      continue;
    }
    const read = JSON.parse(readFileSync(path, 'utf8')) as Copy;
    copiedObjects += read.annotations.length;
    copiedImages += read.images.length;
    // Objects of an XML or of a VIA image that could not be read at all are missing with it.
    const withFiles = objectsOfUnread(repairs, one);
    expect(read.annotations.length + out('left out annotation') + withFiles).toBe(one.objects);
    const unreadFiles = out('left out file');
    expect(read.images.length + out('left out image') + unreadFiles).toBe(one.images);
    for (const image of read.images) await compareImage(copy, image, read, one);
  }
  expect(listed.account.objects.copy).toBe(copiedObjects);
  expect(listed.account.images.copy).toBe(copiedImages);
}

function objectsOfUnread(repairs: Listed['repairs'], { split, perFile }: Damaged): number {
  const gone = new Set<string>();
  for (const { action, place } of repairs) {
    const stem = /^Annotations\/(.*)\.xml$/.exec(place)?.[1];
    if (action === 'left out file' && stem !== undefined) gone.add(`${stem}.png`);
    const key = /^\/(.*)1$/.exec(place)?.[1];
    if (action === 'left out image' && key !== undefined && perFile.has(key)) {
      // A VIA image whose record was read lists its objects itself.
      const listsItsOwn = repairs.some(
        (repair) => repair.action === 'left out annotation' && repair.place.startsWith(`/${key}1/`),
      );
      if (!listsItsOwn) gone.add(key);
    }
  }
  return split.images.filter(({ file }) => gone.has(file)).reduce((sum, { file }) => sum + (perFile.get(file) ?? 0), 0);
}

async function compareImage(
  copy: string,
  image: Copy['images'][number],
  { annotations, categories }: Copy,
  { split, said, classesTouched }: Damaged,
): Promise<void> {
  const { size, colors } = await seen(readFileSync(join(copy, split.name, image.file_name)));
  expect([image.height, image.width]).toEqual(size);
  const original = split.images.find(({ file }) => file === image.file_name);
  const allowed: Allowed[] = (original?.objects ?? []).map(({ color, className }) => ({
    className,
    bits: colors[color]!,
  }));
  allowed.push(...said(image.file_name, size));
  for (const object of annotations.filter(({ image_id }) => image_id === image.id)) {
    const name = categories.find(({ id }) => id === object.category_id)?.name;
    expect(name).toBeDefined();
    // Where box and mask of a damaged record disagree, each must be something; which of them is right, nobody can tell.
    const masked = allowed.filter(({ bits }) => maskLiesOn(object, bits, size));
    const boxed = allowed.filter(({ bits }) => boxLiesOn(object, bits, size));
    const says = `${JSON.stringify(object)} of ${image.file_name}`;
    expect(masked.length === 0 && `the mask of ${says} lies on no object`).toBe(false);
    expect(boxed.length === 0 && `the box of ${says} lies on no object`).toBe(false);
    const isTouched = allowed.some(({ className }) => className === undefined);
    if (!isTouched) expect(masked.some((one) => boxed.includes(one))).toBe(true);
    if (!classesTouched && !isTouched) expect(masked.map(({ className }) => className)).toContain(name);
  }
}

/** Whether the mask of an object of the copy covers these pixels and by far most of itself lies on them. */
function maskLiesOn({ segmentation }: CopiedObject, bits: Uint8Array, size: [number, number]): boolean {
  if (segmentation === undefined) return true;
  const mask = Array.isArray(segmentation)
    ? raster(segmentation.map(toPart), size)
    : decoded(segmentation as { size: [number, number]; counts: string });
  const both = shared(mask, bits);
  return both > 0 && both >= 0.8 * count(mask) && both >= 0.5 * count(bits);
}

/** The same for its box; objects of two parts may have lost one, and with it a piece of their box. */
function boxLiesOn({ bbox }: CopiedObject, bits: Uint8Array, size: [number, number]): boolean {
  if (count(bits) === 0) return false;
  const box = raster([boxPart(bbox)], size);
  const around = boxed(bits, size);
  return shared(box, around) >= 0.45 * Math.max(count(box), count(around));
}

function decoded(rle: { size: [number, number]; counts: string }): Uint8Array {
  return Mask.fromRLE(rle).bitmap();
}

function toPart(list: readonly number[]): Part {
  return Array.from({ length: list.length >> 1 }, (_, i) => [list[2 * i]!, list[2 * i + 1]!] as const);
}

/** The pixels of the box around them. */
function boxed(bits: Uint8Array, [height, width]: readonly [number, number]): Uint8Array {
  const at = [...bits.keys()].filter((i) => bits[i] === 1);
  const [xs, ys] = [at.map((i) => i % width), at.map((i) => Math.floor(i / width))];
  const [x, y] = [Math.min(...xs), Math.min(...ys)];
  return raster([boxPart([x, y, Math.max(...xs) - x + 1, Math.max(...ys) - y + 1])], [height, width]);
}

function count(bits: Uint8Array): number {
  return bits.reduce((sum, bit) => sum + bit, 0);
}

function shared(a: Uint8Array, b: Uint8Array): number {
  return a.reduce((sum, bit, i) => sum + (bit & b[i]!), 0);
}

/** The rule of the last line and the exit code, from the files alone. */
function isLossy(copy: string, damaged: readonly Damaged[]): boolean {
  let [objects, copied] = [0, 0];
  for (const { split, objects: all, perFile } of damaged) {
    const path = join(copy, `annotations/instances_${split.name}.json`);
    if (!existsSync(path)) return true;
    const { images, annotations } = JSON.parse(readFileSync(path, 'utf8')) as Copy;
    const names = new Map(images.map(({ id, file_name }) => [id, file_name]));
    const kept = new Set(annotations.map(({ image_id }) => names.get(image_id)));
    objects += all;
    copied += annotations.length;
    if ([...perFile.keys()].some((file) => !kept.has(file))) return true;
  }
  return objects - copied > 0.1 * objects;
}

function isRecord(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

test('few sets are refused as a whole', () => {
  expect(refused.length <= Math.max(2, sets / 50) ? [] : refused).toEqual([]);
});

test('no folder of a failed set is left', () => expect(readdirSync(root)).toEqual([]));

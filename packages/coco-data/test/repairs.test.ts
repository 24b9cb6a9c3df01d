// The promise of `doctor --fix`, held against pictures in which every object has a colour of its own: each object of the
// copy lies on an object of the original, and nothing is missing that is not listed.
// By default 500 damaged sets; RCNN_DAMAGED_SETS=2000 takes more, RCNN_DAMAGED_SEED another first seed.
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { isRcnnError } from '@rcnn/core/errors';
import { Random } from '@rcnn/core/random';
import { Mask } from '@rcnn/masks';
import { describe, expect, test } from 'vitest';
import { type Inspection, inspectDataset, repairDataset } from '../src/node/index.ts';
import type { Allowed, Damaged, DamagedPlace, Plant } from './damage/damaged.ts';
import { COCO_FAULTS } from './damage/faults.ts';
import { drawSplits } from './damage/original.ts';
import { boxPart, type Part, raster, seen } from './damage/picture.ts';
import { plantCoco } from './damage/plant-coco.ts';
import { plantLabelme } from './damage/plant-labelme.ts';
import { plantVia, plantVia3 } from './damage/plant-via.ts';
import { plantVoc } from './damage/plant-voc.ts';
import { plantYolo } from './damage/plant-yolo.ts';
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

const PLANTS: Readonly<Record<string, Plant>> = {
  coco: plantCoco,
  via: plantVia,
  'via 3': plantVia3,
  voc: plantVoc,
  labelme: plantLabelme,
  yolo: plantYolo,
};

/** Shares of the sets: most things happen to COCO files. */
const SHARES: Readonly<Record<string, number>> = {
  coco: 0.4,
  via: 0.12,
  'via 3': 0.12,
  voc: 0.12,
  labelme: 0.12,
  yolo: 0.12,
};

describe('each fault of COCO files alone', () => {
  test.each(Object.keys(COCO_FAULTS))('%s', async (name) => {
    await holds('coco', 1, [name]);
  });
});

describe(`${SETS} damaged sets`, () => {
  test.each(Object.keys(PLANTS))('%s', { timeout: 3_600_000 }, async (format) => {
    const failed: unknown[] = []; // all of them: they tell more together
    for (let seed = FIRST; seed < FIRST + Math.round(SETS * SHARES[format]!); seed++)
      await holds(format, seed).catch((error: unknown) => failed.push(error));
    if (failed.length > 0) throw new AggregateError(failed, `${failed.length} sets do not hold`);
  });
});

async function holds(format: string, seed: number, faults?: readonly string[]): Promise<void> {
  const random = new Random(seed).fork(format, ...(faults ?? []));
  const folder = join(root, `${format}-${seed}`);
  const copy = `${folder}-copy`;
  const splits = drawSplits(random);
  const { damaged, story } = await PLANTS[format]!(folder, splits, random, faults);
  const told = `${format} ${seed}: ${story.join(', ')}`;
  try {
    const inspection = await inspectDataset(folder);
    comparePlaces(inspection, damaged);
    const { account } = await repairDataset(inspection, copy);
    await compare(copy, damaged);
    const lossy = isLossy(copy, damaged);
    if (lossy !== undefined) expect(account.isLossy).toBe(lossy);
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
    const missing = one.places && missingOf(one.places, one.containers!, repairs);
    expect(read.annotations.length + (missing?.objects ?? out('left out annotation'))).toBe(one.objects);
    expect(read.images.length + (missing?.images ?? out('left out image'))).toBe(one.images);
    for (const image of read.images) await compareImage(copy, image, read, one);
  }
  expect(listed.account.objects.copy).toBe(copiedObjects);
  expect(listed.account.images.copy).toBe(copiedImages);
}

/** Objects and images that are listed, by themselves or by the record or file that they stand in. */
function missingOf(
  places: readonly DamagedPlace[],
  containers: readonly string[],
  repairs: Listed['repairs'],
): { readonly objects: number; readonly images: number } {
  const listed = (...actions: string[]): ReadonlySet<string> =>
    new Set(repairs.filter(({ action }) => actions.includes(action)).map(({ place }) => place));
  const [objects, holders] = [listed('left out annotation'), listed('left out image', 'left out file')];
  const known = new Set(places.map(({ place }) => place));
  expect([...objects].filter((place) => !known.has(place))).toEqual([]);
  // An object whose parts stand in several places is missing when all of them are.
  const named = (some: readonly DamagedPlace[]): ReadonlySet<string> =>
    new Set(some.map(({ place, object = place }) => object));
  // Parts that were left out are no sign of an object that was left out itself.
  const [parts, lost] = [listed('left out polygon part'), named(places.filter(({ place }) => objects.has(place)))];
  const kept = places.filter(({ place, object = place, container }) => {
    const isGone = objects.has(place) || (parts.has(place) && lost.has(object));
    return !isGone && !holders.has(container);
  });
  return {
    objects: named(places).size - named(kept).size,
    images: containers.filter((container) => holders.has(container)).length,
  };
}

/** Every error is told at a place that is there. */
function comparePlaces({ problems, failed }: Inspection, damaged: readonly Damaged[]): void {
  const known = damaged.flatMap(({ places, containers }) =>
    places === undefined ? [] : [...places.map(({ place }) => place), ...containers!],
  );
  if (known.length === 0) return;
  const errors = problems.list(Number.POSITIVE_INFINITY).filter(({ severity }) => severity === 'error');
  const whole = new Set(failed.map(({ source }) => source.annotations));
  const lost = errors.flatMap(({ kind, count, examples }) => {
    expect(examples.length).toBe(count);
    return examples
      .filter(({ place, source }) => !whole.has(source) && !known.some((one) => place.startsWith(one)))
      .map((one) => ({ ...one, kind }));
  });
  expect(lost).toEqual([]);
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
  const drawn = (original?.objects ?? []).map(({ color, className }) => ({ className, bits: colors[color]! }));
  const allowed = [...drawn, ...said(image.file_name, size)].map((one) => regionOf(one, size));
  for (const object of annotations.filter(({ image_id }) => image_id === image.id)) {
    const name = categories.find(({ id }) => id === object.category_id)?.name;
    expect(name).toBeDefined();
    // Where box and mask of a damaged record disagree, each must be something; which of them is right, nobody can tell.
    const [mask, box] = [maskOf(object, size), raster([boxPart(object.bbox)], size)];
    const masked = mask === undefined ? allowed : allowed.filter((region) => maskLiesOn(mask, region));
    const boxed = allowed.filter((region) => boxLiesOn(box, region));
    const says = `${JSON.stringify(object)} of ${image.file_name}`;
    expect(masked.length === 0 && `the mask of ${says} lies on no object`).toBe(false);
    expect(boxed.length === 0 && `the box of ${says} lies on no object`).toBe(false);
    const isTouched = allowed.some(({ className }) => className === undefined);
    if (!isTouched) expect(masked.some((one) => boxed.includes(one))).toBe(true);
    if (!classesTouched && !isTouched) expect(masked.map(({ className }) => className)).toContain(name);
  }
}

/** What is compared with objects of the copy: the pixels, and those of the box around them. */
interface Region extends Allowed {
  readonly around: Uint8Array;
}

function regionOf(allowed: Allowed, size: [number, number]): Region {
  return { ...allowed, around: boxed(allowed.bits, size) };
}

function maskOf({ segmentation }: CopiedObject, size: [number, number]): Uint8Array | undefined {
  if (segmentation === undefined) return undefined;
  return Array.isArray(segmentation)
    ? raster(segmentation.map(toPart), size)
    : decoded(segmentation as { size: [number, number]; counts: string });
}

/** Whether the mask of an object of the copy covers these pixels and by far most of itself lies on them. */
function maskLiesOn(mask: Uint8Array, { bits }: Region): boolean {
  const both = shared(mask, bits);
  return both > 0 && both >= 0.8 * count(mask) && both >= 0.5 * count(bits);
}

/** The same for its box; objects of two parts may have lost one, and with it a piece of their box. */
function boxLiesOn(box: Uint8Array, { around }: Region): boolean {
  const whole = count(around);
  return whole > 0 && shared(box, around) >= 0.45 * Math.max(count(box), whole);
}

function decoded(rle: { size: [number, number]; counts: string }): Uint8Array {
  return Mask.fromRLE(rle).bitmap();
}

function toPart(list: readonly number[]): Part {
  return Array.from({ length: list.length >> 1 }, (_, i) => [list[2 * i]!, list[2 * i + 1]!] as const);
}

/** The pixels of the box around them; none around nothing. */
function boxed(bits: Uint8Array, [height, width]: readonly [number, number]): Uint8Array {
  let [left, top, right, bottom] = [width, height, -1, -1];
  for (let i = 0; i < bits.length; i++) {
    if (bits[i] === 0) continue;
    const [x, y] = [i % width, Math.floor(i / width)];
    [left, right] = [Math.min(left, x), Math.max(right, x)];
    [top, bottom] = [Math.min(top, y), Math.max(bottom, y)];
  }
  if (right < 0) return new Uint8Array(bits.length);
  return raster([boxPart([left, top, right - left + 1, bottom - top + 1])], [height, width]);
}

function count(bits: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < bits.length; i++) sum += bits[i]!;
  return sum;
}

function shared(a: Uint8Array, b: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! & b[i]!;
  return sum;
}

/** The rule of the last line and the exit code, from the files alone; undefined where nobody knows what an image had. */
function isLossy(copy: string, damaged: readonly Damaged[]): boolean | undefined {
  let [objects, copied] = [0, 0];
  let isUnknown = false;
  for (const { split, objects: all, perFile, images: originals, places } of damaged) {
    const path = join(copy, `annotations/instances_${split.name}.json`);
    if (!existsSync(path)) return true;
    const { images, annotations } = JSON.parse(readFileSync(path, 'utf8')) as Copy;
    const names = new Map(images.map(({ id, file_name }) => [id, file_name]));
    const kept = new Set(annotations.map(({ image_id }) => names.get(image_id)));
    objects += all;
    copied += annotations.length;
    if ([...perFile].some(([file, count]) => count > 0 && !kept.has(file))) return true;
    if (places !== undefined && images.length < originals) isUnknown = true;
  }
  return objects - copied > 0.1 * objects ? true : isUnknown ? undefined : false;
}

test('few sets are refused as a whole', () => {
  expect(refused.length <= Math.max(2, sets / 50) ? [] : refused).toEqual([]);
});

test('no folder of a failed set is left', () => expect(readdirSync(root)).toEqual([]));

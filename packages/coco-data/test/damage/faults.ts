// What happens to datasets: the faults of public bug reports, and nonsense in any field.
import type { Random } from '@rcnn/core/random';
import { NONSENSE } from './nonsense.ts';
import type { CocoJson, Json } from './original.ts';
import { HEIGHT, WIDTH } from './picture.ts';

/** What a fault may change. */
export interface Victim {
  readonly json: CocoJson;
  readonly random: Random;
  /** Annotations whose own fields may now say another place or class, by index. */
  readonly touched: Set<number>;
  /** Images whose record may now mean another file or size, or that changed as a file, by index. */
  readonly touchedImages: Set<number>;
  /** Something changed that the class of an object hangs on. */
  classesTouched: boolean;
  /** What happens to files once the annotations are written: by index of the image. */
  readonly files: Map<number, FileFault>;
}

export type FileFault = 'gone' | 'cut' | 'empty' | 'text' | 'resized' | 'turned right' | 'turned left';

type Fault = (victim: Victim) => void;

const pickOne = (count: number, random: Random): number => random.integer(count);

/** A fault in one annotation. */
const annotation =
  (change: (record: Json, victim: Victim, index: number) => void): Fault =>
  (victim) => {
    const { annotations } = victim.json;
    if (annotations.length === 0) return;
    const index = pickOne(annotations.length, victim.random);
    if (typeof annotations[index] === 'object' && annotations[index] !== null)
      change(annotations[index], victim, index);
  };

/** The same where what the annotation then says may be another place. */
const moved = (change: (record: Json, victim: Victim) => void): Fault =>
  annotation((record, victim, index) => {
    victim.touched.add(index);
    change(record, victim);
  });

const box = (change: (box: number[]) => unknown): Fault =>
  annotation((record) => {
    if (Array.isArray(record['bbox'])) record['bbox'] = change([...(record['bbox'] as number[])]);
  });

const polygons = (change: (parts: number[][]) => unknown): Fault =>
  annotation((record) => {
    const parts = record['segmentation'];
    if (Array.isArray(parts) && parts.every(Array.isArray))
      record['segmentation'] = change(parts.map((part) => [...part]));
  });

const image =
  (change: (record: Json, victim: Victim, index: number) => void): Fault =>
  (victim) => {
    const index = pickOne(victim.json.images.length, victim.random);
    victim.touchedImages.add(index);
    change(victim.json.images[index]!, victim, index);
  };

const file = (fault: FileFault): Fault => image((_, { files }, index) => void files.set(index, fault));

/** What nonsense has left of a list: a fault that stops in the middle would be two. */
function recordsOf(list: readonly unknown[]): readonly Json[] {
  return list.filter((item): item is Json => typeof item === 'object' && item !== null);
}

/** An id changed as a number, also where a fault before made text of it: both lists must change alike. */
function renumbered(value: unknown, change: (id: number) => number): unknown {
  if (typeof value === 'number') return change(value);
  return typeof value === 'string' && /^\d+$/.test(value) ? String(change(Number(value))) : value;
}

/** Photographs of a telephone: stored on their side, annotated as people see them. */
const turned: Fault = image(
  (_, { files, random }, index) => void files.set(index, random.chance(0.5) ? 'turned right' : 'turned left'),
);

/** Nonsense in any field of any record, or no field at all. */
const nonsense: Fault = (victim) => {
  const { json, random } = victim;
  const key = random.pick(['images', 'annotations', 'categories'] as const);
  const list = json[key] as unknown[];
  if (list.length === 0) return;
  const index = random.integer(list.length);
  const record = list[index];
  if (key === 'annotations') victim.touched.add(index);
  if (key === 'images') victim.touchedImages.add(index);
  if (key === 'categories') victim.classesTouched = true;
  if (random.chance(0.1) || typeof record !== 'object' || record === null) {
    list[index] = random.pick(NONSENSE);
    return;
  }
  const field = random.pick(Object.keys(record));
  // An id that two images have, and then one: nobody could see whose the objects are.
  const isTwice = json.images.filter((other) => other?.['id'] === (record as Json)['id']).length > 1;
  if (key === 'images' && field === 'id' && isTwice) return;
  if (random.chance(0.2)) Reflect.deleteProperty(record, field);
  else (record as Json)[field] = random.pick(NONSENSE);
};

export const COCO_FAULTS: Readonly<Record<string, Fault>> = {
  // boxes
  'no box': annotation((record) => Reflect.deleteProperty(record, 'bbox')),
  'box null': annotation((record) => (record['bbox'] = null)),
  'box of three': box((sides) => sides.slice(0, 3)),
  'box as text': box((sides) => sides.map(String)),
  'box with null': box((sides) => [null, ...sides.slice(1)]),
  'box without width': box(([x, y, , height]) => [x, y, 0, height]),
  'box of negative height': box(([x, y, width, height]) => [x, y, width, -height!]),
  'box far outside': box(([, , width, height]) => [500, 400, width, height]),
  'box as corners': moved((record) => {
    const [x, y, width, height] = record['bbox'] as number[];
    record['bbox'] = [x, y, x! + width!, y! + height!];
  }),
  'all boxes as corners': ({ json, touched }) => {
    for (const [i, record] of json.annotations.entries()) {
      if (!Array.isArray(record?.['bbox']) || record['bbox'].length !== 4) continue;
      const [x, y, width, height] = record['bbox'] as number[];
      record['bbox'] = [x, y, x! + width!, y! + height!];
      touched.add(i);
    }
  },
  'boxes without masks': ({ json }) => {
    for (const record of recordsOf(json.annotations)) record['segmentation'] = [];
  },
  // masks
  'flat polygon': annotation((record, { touched }, index) => {
    const parts = record['segmentation'];
    if (!Array.isArray(parts) || !parts.every(Array.isArray)) return;
    record['segmentation'] = [...(parts[0] as number[])];
    if (parts.length > 1) touched.add(index); // what is left of it is another object
  }),
  'polygon in pairs': polygons((parts) =>
    parts.map((part) => part.flatMap((_, i) => (i % 2 ? [] : [part.slice(i, i + 2)]))),
  ),
  'sliver of two points': polygons((parts) => [...parts, [5, 5, 6, 6]]),
  'sliver without area': polygons((parts) => [...parts, [7, 7, 8, 7, 7, 7]]),
  'odd part': polygons((parts) => [...parts, [5, 5, 6, 6, 7]]),
  'part of nulls': polygons((parts) => [...parts, [null, null, null, null, null, null]]),
  'corners for a polygon': polygons(([part]) => [[part![0], part![1], part![4], part![5]]]),
  'a coordinate that is text': polygons(([part, ...others]) => [['x', ...part!.slice(1)], ...others]),
  'empty segmentation': annotation((record) => (record['segmentation'] = [])),
  'segmentation null': annotation((record) => (record['segmentation'] = null)),
  'segmentation text': annotation((record) => (record['segmentation'] = 'polygon')),
  'run lengths too short': annotation(
    (record) => (record['segmentation'] = { size: [HEIGHT, WIDTH], counts: [10, 20, 30] }),
  ),
  'run lengths of garbage': annotation((record) => (record['segmentation'] = { size: [HEIGHT, WIDTH], counts: '~~~' })),
  'run lengths of nothing': annotation(
    (record) => (record['segmentation'] = { size: [HEIGHT, WIDTH], counts: [HEIGHT * WIDTH] }),
  ),
  'run lengths with swapped sides': annotation((record) => {
    const value = record['segmentation'] as Json | null | undefined;
    if (value && !Array.isArray(value) && typeof value === 'object') value['size'] = [WIDTH, HEIGHT];
  }),
  // numbers and marks
  'area null': annotation((record) => (record['area'] = null)),
  'area text': annotation((record) => (record['area'] = 'large')),
  'area negative': annotation((record) => (record['area'] = -5)),
  'no area': annotation((record) => Reflect.deleteProperty(record, 'area')),
  'area wrong': annotation((record) => (record['area'] = 1e6)),
  'crowd null': annotation((record) => (record['iscrowd'] = null)),
  'crowd text': annotation((record) => (record['iscrowd'] = '0')),
  'crowd two': annotation((record) => (record['iscrowd'] = 2)),
  'no crowd': annotation((record) => Reflect.deleteProperty(record, 'iscrowd')),
  'keypoints in pairs': annotation((record) => (record['keypoints'] = [1, 2, 3, 4])),
  // ids
  'id zero': annotation((record) => (record['id'] = 0)),
  'id twice': annotation((record) => (record['id'] = 1)),
  'id text': annotation((record) => (record['id'] = String(record['id']))),
  'no id': annotation((record) => Reflect.deleteProperty(record, 'id')),
  'id too large': annotation((record) => (record['id'] = 2 ** 60)),
  'image ids text': ({ json }) => {
    for (const record of recordsOf(json.annotations)) record['image_id'] = String(record['image_id']);
  },
  'ids of images text': ({ json }) => {
    for (const record of recordsOf(json.images)) record['id'] = String(record['id']);
  },
  'category ids text': ({ json }) => {
    for (const record of recordsOf(json.annotations)) record['category_id'] = String(record['category_id']);
  },
  'no such image': moved((record) => (record['image_id'] = 999)),
  'no such category': moved((record) => (record['category_id'] = 77)),
  'no category': annotation((record) => Reflect.deleteProperty(record, 'category_id')),
  // images
  'no width': image((record) => Reflect.deleteProperty(record, 'width')),
  'no size': image((record) => {
    Reflect.deleteProperty(record, 'width');
    Reflect.deleteProperty(record, 'height');
  }),
  'size zero': image((record) => Object.assign(record, { width: 0, height: 0 })),
  'size text': image((record) => Object.assign(record, { width: String(WIDTH) })),
  'size swapped': image((record) => Object.assign(record, { width: HEIGHT, height: WIDTH })),
  'width wrong': image((record) => (record['width'] = WIDTH - 7)),
  'size of another picture': image((record) => Object.assign(record, { width: 2 * WIDTH, height: 2 * HEIGHT })),
  'image id twice': image((record, { json }) => (record['id'] = json.images[0]?.['id'] ?? record['id'])),
  'no file name': image((record) => Reflect.deleteProperty(record, 'file_name')),
  'another file name': image((record) => (record['file_name'] = 'elsewhere.png')),
  'a name that leads out': image((record) => (record['file_name'] = '../outside.png')),
  // categories
  'categories from zero': ({ json }) => {
    for (const record of recordsOf(json.categories)) record['id'] = renumbered(record['id'], (id) => id - 1);
    for (const record of recordsOf(json.annotations))
      record['category_id'] = renumbered(record['category_id'], (id) => id - 1);
  },
  'categories in another order': ({ json }) => {
    const other = (value: unknown): unknown => renumbered(value, (id) => (id === 1 ? 2 : id === 2 ? 1 : id));
    for (const record of recordsOf(json.categories)) record['id'] = other(record['id']);
    for (const record of recordsOf(json.annotations)) record['category_id'] = other(record['category_id']);
  },
  'a category fewer': ({ json }) => {
    const used = new Set(json.annotations.map((record) => record?.['category_id']));
    json.categories = json.categories.filter((record) => used.has(record?.['id']));
  },
  'category id twice': (victim) => {
    victim.json.categories.push({ id: 1, name: 'again' });
  },
  // files
  'picture gone': file('gone'),
  'picture cut': file('cut'),
  'picture empty': file('empty'),
  'picture of text': file('text'),
  'picture resized': file('resized'),
  'picture turned': turned,
  nonsense,
  'more nonsense': nonsense,
  'still more nonsense': nonsense,
};

/** One to four faults, one after the other. */
export function damage(victim: Victim): readonly string[] {
  const names = Object.keys(COCO_FAULTS);
  const chosen = Array.from({ length: 1 + victim.random.integer(4) }, () => victim.random.pick(names));
  for (const name of chosen) {
    try {
      COCO_FAULTS[name]!(victim);
    } catch {
      // A fault that the ones before left nothing to do for.
    }
  }
  return chosen;
}

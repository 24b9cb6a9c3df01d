// COCO sets, damaged.
import { rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Damaged, Plant } from './damaged.ts';
import { COCO_FAULTS, damage, type Victim } from './faults.ts';
import { type CocoJson, cocoJson, type Json, type OriginalSplit, put, putPictures } from './original.ts';
import { boxPart, halfPicture, type Part, pictureFile, raster } from './picture.ts';

export const plantCoco: Plant = async (folder, splits, random, faults) => {
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
      await spoilPicture(join(folder, split.name, names[index]!), split, index, fault);
    }
    damaged.push(damagedCoco(split, JSON.parse(JSON.stringify(json)) as CocoJson, victim));
  }
  return { damaged, story: faults ?? story };
};

export async function spoilPicture(path: string, split: OriginalSplit, index: number, fault: string): Promise<void> {
  if (fault === 'gone') rmSync(path, { force: true });
  else if (fault === 'cut') truncateSync(path, 60);
  else if (fault === 'empty') writeFileSync(path, '');
  else if (fault === 'text') writeFileSync(path, 'not a picture');
  else if (fault === 'resized') writeFileSync(path, await halfPicture(split.images[index]!.objects));
  else writeFileSync(path, await pictureFile(split.images[index]!.objects, 'jpg', fault === 'turned right' ? 6 : 8));
}

function damagedCoco(split: OriginalSplit, json: CocoJson, victim: Victim): Damaged {
  const files = new Map<string, string>();
  for (const image of json.images) if (isRecord(image)) files.set(String(image['id']), String(image['file_name']));
  const nameless = json.images.every((image) => isRecord(image) && isId(image['id'])) ? undefined : 'no id';
  const perFile = new Map<string, number>();
  for (const record of json.annotations) {
    // An image whose record has no id that can be used lost its objects all the same.
    const file = isRecord(record) ? (files.get(String(record['image_id'])) ?? nameless) : undefined;
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

function isRecord(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isId(value: unknown): boolean {
  return Number.isSafeInteger(value) || (typeof value === 'string' && value !== '');
}

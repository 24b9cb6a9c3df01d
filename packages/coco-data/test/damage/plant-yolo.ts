// YOLO's folders, damaged.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Random } from '@rcnn/core/random';
import type { Allowed, Damaged, DamagedPlace, Plant } from './damaged.ts';
import { CLASSES, put, putPictures, yoloLines } from './original.ts';
import { boxPart, type Part, raster } from './picture.ts';
import { maybeSpoilPicture } from './plant-files.ts';

type LineFault = (tokens: string[], random: Random) => readonly string[];

const LINE_FAULTS: Readonly<Record<string, LineFault>> = {
  'no such class': ([, ...rest]) => ['9', ...rest],
  'class of text': ([, ...rest]) => ['cat', ...rest],
  'class below zero': ([, ...rest]) => ['-1', ...rest],
  'class of half': ([, ...rest]) => ['0.5', ...rest],
  'a number missing': (tokens) => tokens.slice(0, -1),
  'a coordinate of text': (tokens, random) => tokens.with(1 + random.integer(tokens.length - 1), 'x'),
  'a coordinate that is none': (tokens) => tokens.with(1, 'nan'),
  'in pixels': ([name, ...rest]) => [name!, ...rest.map((token, i) => String(Number(token) * (i % 2 ? 48 : 64)))],
  'far outside': ([name, ...rest]) => [name!, ...rest.map(() => '7.5')],
  'two corners': (tokens) => tokens.slice(0, 3),
  commas: (tokens) => [tokens.join(',')],
  'a line of words': () => ['what', 'is', 'this'],
};

export const plantYolo: Plant = async (folder, all, random) => {
  const story: string[] = [];
  const damaged: Damaged[] = [];
  // A second part would be an object of its own.
  const splits = all.map(({ name, images }) => ({
    name,
    images: images.map(({ file, objects }) => ({
      file,
      objects: objects.map((object) => ({ ...object, parts: object.parts.slice(0, 1) })),
    })),
  }));
  const names = random.chance(0.5)
    ? JSON.stringify(CLASSES)
    : `\n${CLASSES.map((name, i) => `  ${i}: ${name}\n`).join('')}`;
  put(folder, 'data.yaml', `path: /home/me\ntrain: images/train\nval: images/val\nnames: ${names}\n`);
  for (const split of splits) {
    await putPictures(join(folder, 'images', split.name), split.images);
    const lines = new Map(split.images.map((image) => [image.file, [...yoloLines(image)]]));
    const touched = new Set<string>();
    let classesTouched = false;
    for (let i = random.integer(5); i > 0; i--) {
      const { file } = random.pick(split.images);
      const own = lines.get(file)!;
      const at = random.integer(own.length);
      const name = random.pick(Object.keys(LINE_FAULTS));
      touched.add(file);
      if (/class/.test(name)) classesTouched = true;
      const tokens = own[at]!.split(' ');
      if (tokens.length < 4) continue;
      own[at] = LINE_FAULTS[name]!(tokens, random).join(' ');
      story.push(`${split.name} ${file}: ${name}`);
    }
    const places: DamagedPlace[] = [];
    const containers: string[] = [];
    const perFile = new Map<string, number>();
    for (const { file } of split.images) {
      const stem = file.slice(0, -4);
      const own = lines.get(file)!;
      put(folder, `labels/${split.name}/${stem}.txt`, `${own.join(random.chance(0.2) ? '\r\n' : '\n')}\n`);
      const path = join(folder, 'images', split.name, file);
      const fault = maybeSpoilPicture(path, random);
      if (fault !== undefined) story.push(`${split.name} ${file}: ${fault}`);
      const container = existsSync(path) ? file : `${stem}.txt`; // labels whose picture is gone
      containers.push(container);
      for (const i of own.keys()) places.push({ place: `${stem}.txt:${i + 1}`, container });
      perFile.set(file, own.length);
    }
    const said = (file: string, size: readonly [number, number]): Allowed[] =>
      touched.has(file) ? lines.get(file)!.flatMap((line) => allowed(line, size)) : [];
    damaged.push({
      split,
      objects: places.length,
      images: containers.length,
      said,
      classesTouched,
      perFile,
      places,
      containers,
    });
  }
  return { damaged, story };
};

function allowed(line: string, size: readonly [number, number]): Allowed[] {
  const numbers = line.split(' ').slice(1).map(Number);
  if (numbers.length < 4 || !numbers.every(Number.isFinite)) return [];
  const [x, y, w, h] = numbers as [number, number, number, number];
  const scaled = (part: readonly (readonly [number, number])[]): Part =>
    part.map(([px, py]) => [px * size[1], py * size[0]]);
  const part =
    numbers.length === 4
      ? scaled(boxPart([x - w / 2, y - h / 2, w, h]))
      : scaled(Array.from({ length: numbers.length >> 1 }, (_, i) => [numbers[2 * i]!, numbers[2 * i + 1]!]));
  return [{ className: undefined, bits: raster([part], size) }];
}

import { isRcnnError } from '@rcnn/core/errors';
import { Random } from '@rcnn/core/random';
import { expect, test } from 'vitest';
import { cocoOf } from '../src/formats/coco/write-coco.ts';
import { shapesAnnotations } from '../src/formats/shapes/dataset.ts';
import { checkMasks, checkRecords, Problems, parseVia, parseVocXml, readCoco } from '../src/index.ts';

/** Words that readers trip over, put in at random places. */
const NASTY = [
  '',
  '0',
  '-1',
  '1e999',
  'NaN',
  'null',
  '"',
  '[',
  ']',
  '{',
  '}',
  ',',
  ':',
  '\\u0000',
  '\u{1F980}',
  '9007199254740993',
  '-',
  '<',
  '&#0;',
  '__proto__',
];

/** `count` copies of a text, each with one to three pieces replaced. */
function* mutants(text: string, count: number, seed: number): Generator<string> {
  const random = new Random(seed);
  for (let i = 0; i < count; i++) {
    let mutant = text;
    for (let k = random.integer(3); k >= 0; k--) {
      const at = random.integer(mutant.length);
      mutant = mutant.slice(0, at) + random.pick(NASTY) + mutant.slice(at + random.integer(4));
    }
    yield mutant;
  }
}

/** Runs `read` and counts how it ended; anything but a result or an error of ours fails the test. */
async function survive(
  texts: Iterable<string>,
  read: (text: string) => unknown,
): Promise<{ read: number; refused: number }> {
  const ends = { read: 0, refused: 0 };
  for (const text of texts) {
    try {
      await read(text);
      ends.read++;
    } catch (error) {
      if (!isRcnnError(error)) throw new Error(`untyped error for ${text}`, { cause: error });
      ends.refused++;
    }
  }
  return ends;
}

const options = { size: [16, 20], objects: [1, 3], radius: [0.2, 0.4] } as const;

test('2,000 damaged COCO files: a result or an error of ours, and what is kept can be drawn', async () => {
  const text = JSON.stringify(cocoOf(shapesAnnotations(3, options, 'a')));
  const ends = await survive(mutants(text, 2000, 1), async (mutant) => {
    const problems = new Problems();
    const set = checkRecords(await readCoco([new TextEncoder().encode(mutant)], 'a', problems), problems);
    for (const image of set.images) {
      if (image.size[0] * image.size[1] > 1e7) continue; // a digit more makes an image huge, not wrong
      for (const annotation of set.byImage.get(image.id)!) {
        expect(annotation.box.every(Number.isFinite)).toBe(true);
        expect(annotation.box[2]).toBeGreaterThan(annotation.box[0]);
      }
      checkMasks('a', image, set.byImage.get(image.id)!, problems);
    }
  });
  expect(ends.read).toBeGreaterThan(100);
  expect(ends.refused).toBeGreaterThan(100);
});

test('1,000 damaged VIA projects', async () => {
  const polygon = { name: 'polygon', all_points_x: [1, 9, 5], all_points_y: [2, 3, 9] };
  const project = {
    k: {
      filename: 'a.jpg',
      size: 1,
      regions: [
        { shape_attributes: polygon, region_attributes: { kind: 'cat' } },
        { shape_attributes: { name: 'circle', cx: 4, cy: 4, r: 2 }, region_attributes: {} },
      ],
    },
  };
  const ends = await survive(mutants(JSON.stringify(project), 1000, 2), async (mutant) => {
    let value: unknown;
    try {
      value = JSON.parse(mutant);
    } catch {
      return;
    }
    const problems = new Problems();
    checkRecords(await parseVia(value, 'a', problems, { sizeOf: () => Promise.resolve([10, 10]) }), problems);
  });
  expect(ends.read).toBeGreaterThan(100);
});

test('1,000 damaged VOC files', async () => {
  const xml =
    '<annotation><filename>a</filename><size><width>9</width><height>8</height></size><object><name>dog</name><difficult>0</difficult><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>5</xmax><ymax>6</ymax></bndbox></object></annotation>';
  const ends = await survive(mutants(xml, 1000, 3), (mutant) => parseVocXml(mutant, 'a'));
  expect(ends.read).toBeGreaterThan(10);
  expect(ends.refused).toBeGreaterThan(100);
});

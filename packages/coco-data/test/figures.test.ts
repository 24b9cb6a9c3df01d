import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { Dataset, drawFigures, figuresDataset, Problems, parseCoco } from '../src/index.ts';
import { openDataset, writeFigures } from '../src/node/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'figures-'));
afterAll(() => rmSync(folder, { recursive: true }));

test('every figure is whole in its picture, and its points lie on it', () => {
  for (let i = 0; i < 30; i++) {
    for (const { mask, keypoints } of drawFigures(3, i).figures) {
      const [x1, y1, x2, y2] = mask.box;
      expect(keypoints).toHaveLength(51);
      for (let k = 0; k < 51; k += 3) {
        const [x, y, seen] = keypoints.subarray(k, k + 3) as unknown as [number, number, number];
        expect(seen === 1 || (seen === 2 && x >= x1 && x <= x2 && y >= y1 && y <= y2)).toBe(true);
        if (seen === 2) expect(mask.has(Math.floor(x), Math.floor(y))).toBe(true);
      }
      expect(keypoints[3 * 5]).toBeGreaterThan(keypoints[3 * 6]!); // its left shoulder is on the right of the picture
    }
  }
});

test('what another figure hides is labelled as hidden', () => {
  const seen = Array.from({ length: 40 }, (_, i) => drawFigures(0, i, { figures: [3, 3] }).figures)
    .flat()
    .flatMap(({ keypoints }) => [...keypoints].filter((_, i) => i % 3 === 2));
  expect(new Set(seen)).toEqual(new Set([1, 2]));
});

test('written and read again, it is the set in memory, in the layout of COCO’s key points', async () => {
  await writeFigures(folder, { splits: { train: 3, val: 2 }, seed: 4 });
  const read = await openDataset(folder, { split: 'val' });
  const made = figuresDataset(2, { seed: 4, first: 3 });
  expect(read.numKeypoints).toBe(17);
  for (const i of [0, 1]) {
    expect([...read.sample(i).target.keypoints!]).toEqual([...made.sample(i).target.keypoints!]);
    expect([...read.sample(i).target.boxes]).toEqual([...made.sample(i).target.boxes]);
  }
  expect(read.keypointScheme).toEqual(made.keypointScheme);
  expect(read.keypointScheme!.partners!.slice(0, 5)).toEqual([0, 2, 1, 4, 3]);
  expect(read.keypointScheme!.skeleton[0]).toEqual([15, 13]);
  const file = JSON.parse(readFileSync(join(folder, 'annotations', 'person_keypoints_val.json'), 'utf8')) as {
    annotations: { num_keypoints: number }[];
  };
  expect(file.annotations[0]!.num_keypoints).toBe(17);
});

const annotation = (id: number, keypoints: readonly number[], category_id = 1) => ({
  id,
  image_id: 1,
  category_id,
  bbox: [1, 1, 8, 8],
  area: 64,
  iscrowd: 0,
  keypoints,
});

function opened(
  categories: readonly { id: number; name: string; keypoints?: readonly string[]; skeleton?: unknown }[],
  ...annotations: ReturnType<typeof annotation>[]
): Dataset {
  const problems = new Problems();
  const file = { images: [{ id: 1, file_name: 'a.jpg', height: 10, width: 12 }], annotations, categories };
  const store = { load: () => Promise.reject(new Error('no pixels here')) };
  return Dataset.from(parseCoco(file, 'kp.json', problems), store, problems, { policy: 'drop' });
}

const two = [2, 3, 2, 4, 5, 1];

test.each([
  [
    ['left_eye', 'right_eye'],
    [1, 0],
  ],
  [
    ['LeftEye', 'RightEye'],
    [1, 0],
  ],
  [
    ['L_Eye', 'R_Eye'],
    [1, 0],
  ],
  [
    ['eye-r', 'eye-l'],
    [1, 0],
  ],
  [
    ['head', 'tail'],
    [0, 1],
  ],
  [['left_eye', 'nose'], undefined],
  [
    ['lower lip', 'rim'],
    [0, 1],
  ],
])('key points %j change places as %j in a mirrored image', (keypoints, partners) => {
  expect(opened([{ id: 1, name: 'cat', keypoints }], annotation(1, two)).keypointScheme!.partners).toEqual(partners);
});

test('lines that lead nowhere are left out, and a target carries who changes places', () => {
  const skeleton = [[1, 2], [1, 3], [0, 1], 'no', [1]];
  const cat = { id: 1, name: 'cat', keypoints: ['left', 'right'], skeleton };
  const dataset = opened([cat], annotation(1, two));
  expect(dataset.keypointScheme!.skeleton).toEqual([[0, 1]]);
  expect(dataset.sample(0).target.keypointPartners).toEqual([1, 0]);
});

test('two classes that mean different things by their points have no scheme', () => {
  const categories = [
    { id: 1, name: 'cat', keypoints: ['left', 'right'] },
    { id: 2, name: 'bus', keypoints: ['front', 'back'] },
  ];
  const dataset = opened(categories, annotation(1, two), annotation(2, two, 2));
  expect(dataset.keypointScheme).toBeUndefined();
  expect(dataset.sample(0).target.keypointPartners).toBeUndefined();
});

test('an object with another number of points than most is refused; a point outside of the image is told', () => {
  const unnamed = [{ id: 1, name: 'cat' }];
  const dataset = opened(unnamed, annotation(1, [1, 1, 2]), annotation(2, two), annotation(3, [2, 3, 2, 40, 5, 1]));
  expect(dataset.numKeypoints).toBe(2);
  expect(dataset.problems.list().map(({ kind, count, examples }) => [kind, count, examples[0]!.place])).toEqual([
    ['keypoints-invalid', 1, '/annotations/0/keypoints'],
    ['keypoint-outside', 1, '/annotations/2/keypoints'],
    ['masks-missing', 1, '/annotations/1'],
  ]);
});

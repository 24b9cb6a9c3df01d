import type { Detection } from '@rcnn/core';
import { Mask } from '@rcnn/masks';
import { expect, test } from 'vitest';
import { ClassMap, cocoResults, listedDetections, Uncategorized } from '../src/index.ts';

const classes = ClassMap.contiguous([
  { id: 42, name: 'cat' },
  { id: 7, name: 'dog' },
  { id: 1003, name: 'emu' },
]);
const detection = (label: number): Detection => ({ box: [1, 2, 4.5, 8], label, score: 0.75 });

test("category ids are the dataset's, not the labels; the class is named", () => {
  const results = cocoResults([detection(1), detection(2), detection(3)], 'img_0001', classes);
  expect(results.map(({ category_id, category_name }) => [category_id, category_name])).toEqual([
    [7, 'dog'],
    [42, 'cat'],
    [1003, 'emu'],
  ]);
  expect(results[0]).toEqual({
    image_id: 'img_0001',
    category_id: 7,
    category_name: 'dog',
    bbox: [1, 2, 3.5, 6],
    score: 0.75,
  });
});

test('a label that no dataset can contain is left out; without a map labels are all there is', () => {
  expect(cocoResults([detection(4)], 1, classes)).toEqual([]);
  expect(cocoResults([detection(4)], 1, undefined)).toMatchObject([{ image_id: 1, category_id: 4 }]);
});

test('what is left out is counted', () => {
  const out = new Uncategorized();
  out.add([detection(1), detection(2)], classes);
  expect(out.text).toBeUndefined();
  out.add([detection(26), detection(12), detection(26)], classes);
  out.add([detection(99)], undefined);
  expect(out.text).toBe('3 objects were left out: no category has their label (12, 26).');
});

test('keypoints are flat', () => {
  const found: Detection = { ...detection(1), keypoints: [[1, 2, 0.5], [3, 4, 0.25]] }; // biome-ignore format: rows
  expect(cocoResults([found], 1, classes)[0]!.keypoints).toEqual([1, 2, 0.5, 3, 4, 0.25]);
});

test('and back: by image, with labels and masks', () => {
  const mask = Mask.fromPolygons([[1, 1, 5, 1, 5, 5, 1, 5]], [8, 9]);
  const results = [...cocoResults([detection(2)], 5, classes), ...cocoResults([detection(1)], '5', classes)];
  const list = results.map((result) => ({ ...result, segmentation: mask.rle() }));
  const back = listedDetections(JSON.parse(JSON.stringify(list)), classes, 'a test');
  expect([...back.keys()]).toEqual([5, '5']);
  const [object] = back.get(5)!;
  expect(object).toMatchObject({ box: [1, 2, 4.5, 8], label: 2, score: 0.75 });
  expect(object!.mask!.area()).toBe(mask.area());
});

test.each([
  [{ annotations: [] }, 'results must be a list; found object'],
  [[5], '/0: this is not a detection; found 5'],
  [[{ image_id: 1, category_id: 7, bbox: [1, 2, 3], score: 1 }], '/0: this is not a detection'],
  [
    [{ image_id: 1, category_id: 7, bbox: [1, 2, 3, 4], score: 1, segmentation: [[1, 2]] }],
    '/0 (segmentation): this is not a mask',
  ],
])('%j is refused', (list, message) => expect(() => listedDetections(list, classes, 'x')).toThrow(message));

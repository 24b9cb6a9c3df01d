import type { CocoDataset, CocoResult } from '@rcnn/coco-eval';
import { expect, test } from 'vitest';
import { worstImages } from '../src/loop/worst-images.ts';

const object = (id: number, image_id: number, bbox: number[], more: object = {}) => ({
  id,
  image_id,
  category_id: 1,
  bbox,
  ...more,
});
const found = (image_id: number, bbox: [number, number, number, number], score = 0.9, category_id = 1): CocoResult => ({
  image_id,
  category_id,
  bbox,
  score,
});

const truth: CocoDataset = {
  images: [{ id: 1 }, { id: 2 }, { id: 3 }, { id: 4 }],
  categories: [{ id: 1 }, { id: 2 }],
  annotations: [
    object(1, 1, [0, 0, 10, 10]),
    object(2, 2, [0, 0, 10, 10]),
    object(3, 2, [20, 0, 10, 10]),
    object(4, 3, [0, 0, 100, 100], { iscrowd: 1 }),
  ],
};

test('the image with the most errors comes first; right ones are left out; crowds are no errors', () => {
  const results = [
    found(1, [0, 0, 10, 10]), // right
    found(1, [50, 0, 10, 10], 0.4), // too low to be shown
    found(2, [1, 0, 10, 10], 0.8), // found
    found(2, [0, 0, 10, 10], 0.7), // the same once more: wrong
    found(2, [20, 0, 10, 10], 0.9, 2), // of another class: wrong, and the object is missed
    found(3, [5, 5, 10, 10]), // inside the crowd
    found(4, [5, 5, 10, 10]), // nothing is there
  ];
  expect(worstImages(truth, results, 0.5)).toEqual([
    { id: 2, missed: 1, wrong: 2 },
    { id: 4, missed: 0, wrong: 1 },
  ]);
});

test('without detections every object is missed; without objects and detections nothing is wrong', () => {
  expect(worstImages(truth, [], 0.5)).toEqual([
    { id: 2, missed: 2, wrong: 0 },
    { id: 1, missed: 1, wrong: 0 },
  ]);
  expect(worstImages({ images: [{ id: 1 }] }, [], 0.5)).toEqual([]);
});

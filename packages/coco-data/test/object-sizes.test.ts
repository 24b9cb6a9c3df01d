import { expect, test } from 'vitest';
import { objectSizes, type SizedImage, shapesDataset, sizedImages } from '../src/index.ts';

const square = (side: number, at = 0): SizedImage['boxes'][number] => [at, at, at + side, at + side];

test('sizes are shares of the short side, whatever the images measure', () => {
  const images: SizedImage[] = [
    { size: [100, 200], boxes: [square(10), square(20)] }, // .1 and .2
    { size: [400, 200], boxes: [[0, 0, 10, 40]] }, // a side of 20: .1
    { size: [50, 50], boxes: [] },
  ];
  const sizes = objectSizes(images)!;
  expect(sizes).toMatchObject({ images: 3, objects: 3, mostObjects: 2, shortSide: 100, longSide: 200 });
  expect(sizes).toMatchObject({ small: 0.1, typical: 0.1, large: 0.2 });
  const counted = sizes.histogram.filter(({ objects }) => objects > 0);
  expect(counted).toEqual([
    { below: 16, objects: 1 },
    { below: 32, objects: 2 },
  ]);
});

test('one in twenty is below the smaller and above the larger size', () => {
  const boxes = Array.from({ length: 100 }, (_, i) => square(i + 1));
  expect(objectSizes([{ size: [100, 100], boxes }])).toMatchObject({ small: 0.06, typical: 0.51, large: 0.96 });
});

test('an object on an edge counts for the next class; the largest have no upper edge', () => {
  const sizes = objectSizes([{ size: [4000, 4000], boxes: [square(8), square(1024), square(2000)] }])!;
  expect(sizes.histogram.filter(({ objects }) => objects > 0)).toEqual([
    { below: 16, objects: 1 },
    { below: null, objects: 2 },
  ]);
});

test('without objects there is nothing to tell', () => {
  expect(objectSizes([])).toBeUndefined();
  expect(objectSizes([{ size: [10, 10], boxes: [] }])).toBeUndefined();
});

test('a dataset gives all of its images and objects', async () => {
  const dataset = shapesDataset(3, { seed: 1 });
  const images = sizedImages(dataset);
  expect(images).toHaveLength(3);
  expect(images.map(({ boxes }) => boxes.length)).toEqual([0, 1, 2].map((i) => dataset.annotations(i).length));
});

import '@tensorflow/tfjs-backend-cpu';
import { type PixelImage, Random } from '@rcnn/core';
import { expectClose, expectNoLeak } from '@rcnn/core/testing';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, test } from 'vitest';
import { ImageTransform } from '../src/image-transform.ts';
import { readImages } from '../src/images.ts';
import { resizeAxis, resizeBitmap } from '../src/resize.ts';

const grey = (height: number, width: number, value = 0.5): PixelImage => ({
  data: new Float32Array(height * width * 3).fill(value),
  height,
  width,
  channels: 3,
});

describe('sizes, as torchvision 0.29.1 computes them', () => {
  const transform = new ImageTransform();

  test.each([
    [480, 640, 800, 1066],
    [427, 640, 800, 1199],
    [640, 427, 1199, 800],
    [333, 500, 800, 1201],
    [500, 375, 1066, 800],
    [1080, 1920, 749, 1333],
    [3000, 400, 1333, 177],
  ])('%i x %i becomes %i x %i', (height, width, newHeight, newWidth) => {
    expect(transform.resizedSize([height, width])).toEqual([newHeight, newWidth]);
  });

  test('85 short sides fall to 799 and 91 long sides to 1332: the product is just below', () => {
    const shorts = Array.from({ length: 2000 }, (_, i) => i + 1).filter(
      (s) => transform.resizedSize([s, s])[0] === 799,
    );
    expect(shorts.slice(0, 16)).toEqual([97, 161, 167, 193, 194, 195, 199, 289, 305, 322, 334, 335, 337, 369, 371, 385]); // biome-ignore format: one list
    expect(shorts.length).toBe(85);
    const byLong = new ImageTransform({ minSize: 1e6 }); // the long side decides
    const longs = Array.from({ length: 4000 }, (_, i) => i + 1).filter((l) => byLong.resizedSize([l, l])[0] === 1332);
    expect(longs.length).toBe(91);
  });

  test('a side never becomes 0', () => expect(transform.resizedSize([1, 10000])).toEqual([1, 1333]));

  test('a list of sizes: prediction takes the last, training draws', () => {
    const many = new ImageTransform({ minSize: [64, 96, 128] });
    expect(many.resizedSize([100, 100])).toEqual([128, 128]);
    const random = new Random(3);
    const drawn = new Set<number>();
    for (let i = 0; i < 40; i++) {
      const batch = many.forward([{ data: new Uint8Array(12), size: [2, 2], scale: 1 }], { phase: 'train', random });
      drawn.add(batch.placements[0]!.size[0]);
      batch.images.dispose();
    }
    expect([...drawn].sort((a, b) => a - b)).toEqual([64, 96, 128]);
    expect(() => many.forward([{ data: new Uint8Array(3), size: [1, 1], scale: 1 }], { phase: 'train' })).toThrow(
      'draw',
    );
  });
});

describe('the batch', () => {
  test('is padded right and bottom to a common multiple of 32, with zeros after normalisation', async () => {
    const transform = new ImageTransform();
    const batch = transform.forward(await readImages('test', [grey(480, 640), grey(600, 400)]));
    expect(batch.placements.map(({ size }) => size)).toEqual([
      [800, 1066],
      [1200, 800],
    ]);
    expect(batch.paddedSize).toEqual([1216, 1088]);
    expect(batch.images.shape).toEqual([2, 1216, 1088, 3]);
    const value = [0, 1, 2].map((c) => (0.5 - [0.485, 0.456, 0.406][c]!) / [0.229, 0.224, 0.225][c]!);
    const at = (n: number, y: number, x: number): tf.Tensor => tf.reshape(tf.slice(batch.images, [n, y, x, 0], [1, 1, 1, 3]), [3]); // biome-ignore format: one expression
    expectClose(at(0, 799, 1065), value);
    expectClose(at(0, 800, 0), [0, 0, 0]);
    expectClose(at(0, 0, 1066), [0, 0, 0]);
    expectClose(at(1, 1199, 799), value);
    batch.images.dispose();
  });

  test('gives the same numbers for a tensor, floats and bytes', async () => {
    const bytes = Uint8Array.from({ length: 5 * 7 * 3 }, (_, i) => (i * 37) % 256);
    const floats = Float32Array.from(bytes, (byte) => byte / 255);
    const tensor = tf.tensor3d(floats, [5, 7, 3]);
    const size = { height: 5, width: 7, channels: 3 } as const;
    const transform = new ImageTransform({ minSize: 10, maxSize: 40 });
    const hosts = await readImages('test', [tensor, { data: floats, ...size }, { data: bytes, ...size }]);
    const { images } = transform.forward(hosts);
    const [a, b, c] = tf.unstack(images) as [tf.Tensor, tf.Tensor, tf.Tensor];
    expectClose(a, b, { absolute: 0, relative: 0 });
    expectClose(c, b, { absolute: 1e-6, relative: 1e-6 });
    tf.dispose([tensor, images, a, b, c]);
  });

  test('keeps no tensor but the images', async () => {
    const transform = new ImageTransform({ minSize: 8 });
    await expectNoLeak(async () => transform.forward(await readImages('test', [grey(4, 6)])).images.dispose());
  });

  test('training images keep their size when augmentation has chosen it', async () => {
    const transform = new ImageTransform({ resizeInTraining: false });
    const hosts = await readImages('test', [grey(40, 60)]);
    const batch = transform.forward(hosts, { phase: 'train' });
    expect(batch.placements.map(({ size }) => size)).toEqual([[40, 60]]);
    expect(batch.paddedSize).toEqual([64, 64]);
    batch.images.dispose();
  });
});

test('bilinear: the first row of a 3x4 ramp resized to 5x6', async () => {
  const ramp = {
    data: Float32Array.from({ length: 36 }, (_, i) => Math.floor(i / 3)),
    size: [3, 4] as const,
    scale: 1,
  };
  const transform = new ImageTransform({ minSize: 5, maxSize: 6, mean: [0, 0, 0], std: [1, 1, 1], sizeDivisor: 1 });
  const square = { ...ramp, size: [3, 4] as const };
  // 5/3 and 6/4: the long side decides, so the axis is tested by itself as well.
  const { low, high, weight } = resizeAxis(4, 6);
  const row = Array.from(low, (l, i) => l * (1 - weight[i]!) + high[i]! * weight[i]!);
  expectClose(row, [0, 0.5, 7 / 6, 11 / 6, 2.5, 3]);
  const { images } = transform.forward([square]);
  expectClose(tf.slice(images, [0, 0, 0, 0], [1, 1, 6, 1]), [[row.map((value) => [value])]]);
  images.dispose();
});

test('nearest: which columns and rows are picked', () => {
  const bitmap = Uint8Array.from({ length: 12 }, (_, i) => i);
  const resized = resizeBitmap(bitmap, [3, 4], [5, 6]);
  expect([...resized.subarray(0, 6)]).toEqual([0, 0, 1, 2, 2, 3]);
  expect(Array.from({ length: 5 }, (_, y) => resized[y * 6]! / 4)).toEqual([0, 0, 1, 1, 2]);
});

test.each([
  [{ minSize: [] }, 'minSize'],
  [{ maxSize: 0 }, 'maxSize'],
  [{ sizeDivisor: 0.5 }, 'sizeDivisor'],
  [{ std: [1, 0, 1] as const }, 'std'],
  [{ mean: [Number.NaN, 0, 0] as const }, 'mean'],
])('unusable options %o are refused', (options, place) => {
  expect(() => new ImageTransform(options)).toThrow(`ImageTransform (${place})`);
});

test('training has a size of its own where one is given', () => {
  const sizesOf = (transform: ImageTransform, phase: 'train' | 'predict') => {
    const image = { data: new Uint8Array(12), size: [2, 2], scale: 1 } as const;
    const batch = transform.forward([image], { phase, random: new Random(1) });
    batch.images.dispose();
    return batch.placements[0]!.size;
  };
  const zooming = new ImageTransform({ minSize: 96, trainMinSize: 64 });
  expect(zooming.input.resize).toEqual({ rule: 'torchvision', minSize: 96, maxSize: 1333, trainingSizes: [64] });
  expect(sizesOf(zooming, 'train')).toEqual([64, 64]);
  expect(sizesOf(zooming, 'predict')).toEqual([96, 96]);
  expect(new ImageTransform({ minSize: 96, trainMinSize: 96 }).input).toEqual(
    new ImageTransform({ minSize: 96 }).input,
  );
  expect(() => new ImageTransform({ trainMinSize: 0 })).toThrow('trainMinSize');
});

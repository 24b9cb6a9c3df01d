import '@tensorflow/tfjs-backend-cpu';
import { expectClose, expectNoLeak } from '@rcnn/core/testing';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, test } from 'vitest';
import { FixedSizeTransform, type HostImage, ImageTransform, LetterboxTransform } from '../src/index.ts';

const plain = { mean: [0, 0, 0], std: [1, 1, 1] } as const;

/** Red rises to the right, green downwards, blue is constant. */
function ramp(height: number, width: number): HostImage {
  const pixel = (i: number): number[] => [(i % width) / width, Math.floor(i / width) / height, 0.25];
  const data = Float32Array.from(Array.from({ length: height * width }, (_, i) => pixel(i)).flat());
  return { data, size: [height, width], scale: 1 };
}

describe('one size for all', () => {
  test('YOLACT’s 550 x 550: the ratio of the sides is not kept', () => {
    const transform = new FixedSizeTransform({ size: [550, 550] });
    const { images, paddedSize, placements } = transform.forward([ramp(30, 60), ramp(50, 20)]);
    expect(images.shape).toEqual([2, 550, 550, 3]);
    expect(paddedSize).toEqual([550, 550]);
    const { boxes } = placements[0]!.toModel({ boxes: Float32Array.of(6, 3, 60, 30), labels: Int32Array.of(1) });
    expectClose(boxes, [55, 55, 550, 550]);
    const [detection] = placements[1]!.toImage({ boxes: Float32Array.of(55, 55, 550, 550), scores: Float32Array.of(1), labels: Int32Array.of(1) }); // biome-ignore format: one line
    expectClose([...detection!.box], [2, 5, 20, 50]);
    expect(transform.input).toEqual({
      resize: { rule: 'fixed', size: [550, 550] },
      sizeDivisor: 1,
      channelOrder: 'rgb',
      mean: [0.485, 0.456, 0.406],
      std: [0.229, 0.224, 0.225],
    });
    images.dispose();
  });

  test('pixels are those of the other transform where the sizes agree', async () => {
    const fixed = new FixedSizeTransform({ size: [32, 64], ...plain }).forward([ramp(16, 32)]);
    const usual = new ImageTransform({ minSize: 32, maxSize: 64, ...plain }).forward([ramp(16, 32)]);
    expectClose(await fixed.images.data(), await usual.images.data(), { absolute: 0, relative: 0 });
    tf.dispose([fixed.images, usual.images]);
  });
});

describe('a letterbox', () => {
  test('a wide image lies in the middle, zeros above and below', () => {
    const { images, placements } = new LetterboxTransform({ size: [8, 8], mean: [0.25, 0.25, 0.25] }).forward([
      ramp(2, 4),
    ]);
    expect(placements[0]).toMatchObject({ resizedSize: [4, 8], offset: [2, 0], size: [8, 8] });
    const rows = tf.tidy(() => tf.max(tf.abs(images), [0, 2, 3]).dataSync());
    expect([...rows].map((value) => value > 0)).toEqual([false, false, true, true, true, true, false, false]);
    images.dispose();
  });

  test('a tall one lies between left and right; a side never becomes 0', () => {
    const transform = new LetterboxTransform({ size: [8, 6] });
    const { images, placements } = transform.forward([ramp(8, 3), ramp(1, 100), ramp(100, 1)]);
    expect(placements.map(({ resizedSize, offset }) => [resizedSize, offset])).toEqual([
      [[8, 3], [0, 1]],
      [[1, 6], [3, 0]],
      [[8, 1], [0, 2]],
    ]); // biome-ignore format: a table
    images.dispose();
  });

  test('objects go there and back', () => {
    const { images, placements } = new LetterboxTransform({ size: [64, 64] }).forward([ramp(30, 60)]);
    images.dispose();
    const boxes = Float32Array.of(0, 0, 60, 30, 7, 5, 30, 20);
    const moved = placements[0]!.toModel({ boxes, labels: Int32Array.of(1, 2) });
    expectClose(moved.boxes, [0, 16, 64, 48, (7 * 64) / 60, 16 + (5 * 32) / 30, 32, 16 + (20 * 32) / 30]);
    const back = placements[0]!.toImage({ boxes: moved.boxes, labels: moved.labels, scores: Float32Array.of(1, 1) });
    expectClose(back.flatMap(({ box }) => [...box]), boxes, { absolute: 1e-5 }); // biome-ignore format: one line
  });
});

test('BGR: the channels change places, mean and deviation are in that order', async () => {
  const options = { size: [1, 1] as const, mean: [1, 2, 3] as const, std: [1, 1, 10] as const };
  const image: HostImage = { data: Float32Array.of(0.1, 0.2, 0.3), size: [1, 1], scale: 1 };
  const { images } = new FixedSizeTransform({ ...options, channelOrder: 'bgr' }).forward([image]);
  expectClose(await images.data(), [0.3 - 1, 0.2 - 2, (0.1 - 3) / 10]);
  images.dispose();
});

test('nothing is kept but the images', () =>
  expectNoLeak(() => new LetterboxTransform({ size: [8, 8] }).forward([ramp(3, 4)]).images.dispose()));

test.each([
  [{ size: [0, 8] as const }, 'size'],
  [{ size: [8, 7.5] as const }, 'size'],
  [{ size: [8, 8] as const, std: [1, 0, 1] as const }, 'std'],
])('unusable options %o are refused', (options, place) => {
  expect(() => new FixedSizeTransform(options)).toThrow(`FixedSizeTransform (${place})`);
  expect(() => new LetterboxTransform(options)).toThrow(`LetterboxTransform (${place})`);
});

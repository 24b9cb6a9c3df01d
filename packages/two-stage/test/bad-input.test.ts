import { type InstanceMask, type PixelImage, RcnnError, type Target } from '@rcnn/core';
import { expectNoLeak } from '@rcnn/core/testing';
import { useFastEngine } from '@rcnn/fixtures';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Mask, type MaskRCNN, maskRcnnSmall, Random } from '../src/index.ts';

let model: MaskRCNN;

beforeAll(async () => {
  await useFastEngine();
  model = maskRcnnSmall({ numClasses: 3, random: new Random(1) });
});

afterAll(() => model.dispose());

const size = [40, 60] as const;

function image(height: number = size[0], width: number = size[1]): PixelImage {
  return { data: new Float32Array(height * width * 3).fill(0.5), height, width, channels: 3 };
}

function box(...sides: [number, number, number, number]): Mask {
  const [x1, y1, x2, y2] = sides;
  return Mask.fromBox([x1, y1, x2 - x1, y2 - y1], size);
}

function target(changes: Partial<Target> = {}): Target {
  const boxes = Float32Array.of(5, 5, 25, 30, 10, 2, 50, 20);
  return {
    boxes,
    labels: Int32Array.of(1, 2),
    masks: [box(5, 5, 25, 30), box(10, 2, 50, 20)],
    ...changes,
  };
}

/** Asserts the code and the place of the error, and that no tensor stays behind. */
async function expectRefused(call: () => Promise<unknown>, code: string, place: string | RegExp): Promise<void> {
  const error = await call().then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(RcnnError);
  expect((error as RcnnError).code).toBe(code);
  if (typeof place === 'string') expect((error as RcnnError).place).toBe(place);
  else expect((error as RcnnError).place).toMatch(place);
  await expectNoLeak(() => call().catch(() => {}));
}

describe('images', () => {
  const with1 = (value: number): PixelImage => {
    const bad = image();
    (bad.data as Float32Array)[(7 * 60 + 3) * 3 + 1] = value;
    return bad;
  };

  test.each([
    ['no pixels', { ...image(), height: 0, data: new Float32Array(0) }, 'images[1]'],
    ['the wrong amount of pixels', { ...image(), width: 61 }, 'images[1]'],
    ['four channels', { ...image(), channels: 4 as unknown as 3 }, 'images[1]'],
    ['NaN', with1(Number.NaN), 'images[1] row 7, column 3, channel 1'],
    ['infinity', with1(Number.POSITIVE_INFINITY), 'images[1] row 7, column 3, channel 1'],
    ['0 to 255 in floats', with1(255), 'images[1] row 7, column 3, channel 1'],
  ])('%s', async (_, bad, place) => {
    await expectRefused(() => model.detect([image(), bad]), 'IMAGE_INVALID', place);
    await expectRefused(() => model.losses([image(), bad], [target(), target()]), 'IMAGE_INVALID', place);
  });

  test.each([
    ['no pixels', [0, 60, 3], 'float32'],
    ['one channel', [40, 60, 1], 'float32'],
    ['a batch', [1, 40, 60, 3], 'float32'],
    ['integers', [40, 60, 3], 'int32'],
  ] as const)('a tensor with %s', async (_, shape, dtype) => {
    const tensor: tf.Tensor3D = tf.zeros<tf.Rank.R3>(shape as unknown as [number, number, number], dtype);
    await expectRefused(() => model.detect([tensor]), 'IMAGE_INVALID', 'images[0]');
    tensor.dispose();
  });

  test('none at all', () => expectRefused(() => model.detect([]), 'INVALID_ARGUMENT', 'images'));

  test('1 x 10000 is an image', async () => {
    const [found] = await model.detect([image(1, 10000)]);
    for (const { box, mask } of found!) {
      expect(box[0] >= 0 && box[1] >= 0 && box[2] <= 10000.01 && box[3] <= 1.0001).toBe(true);
      expect(mask!.size).toEqual([1, 10000]);
    }
  });
});

describe('targets', () => {
  const boxes = (index: number, ...sides: number[]): Float32Array => {
    const changed = target().boxes.slice();
    changed.set(sides, index * 4);
    return changed;
  };
  const otherSize: InstanceMask = Mask.fromBox([1, 1, 5, 5], [60, 40]);

  test.each([
    ['a box of width 0', { boxes: boxes(1, 10, 2, 10, 20) }, 'BOX_DEGENERATE', 'targets[0].boxes[1]'],
    ['a box given as x, y, w, h', { boxes: boxes(0, 30, 30, 20, 10) }, 'BOX_DEGENERATE', 'targets[0].boxes[0]'],
    ['a NaN box', { boxes: boxes(1, 10, Number.NaN, 20, 20) }, 'NON_FINITE', 'targets[0].boxes[1]'],
    ['three numbers too few', { boxes: target().boxes.slice(3) }, 'TARGET_INVALID', 'targets[0].boxes'],
    ['the background as label', { labels: Int32Array.of(0, 1) }, 'LABEL_OUT_OF_RANGE', 'targets[0].labels[0]'],
    ['a label outside the classes', { labels: Int32Array.of(1, 3) }, 'LABEL_OUT_OF_RANGE', 'targets[0].labels[1]'],
    ['a mask of another size', { masks: [box(1, 1, 5, 5), otherSize] }, 'MASK_SIZE_MISMATCH', 'targets[0].masks[1]'],
    ['a mask too few', { masks: [box(1, 1, 5, 5)] }, 'TARGET_INVALID', 'targets[0].masks'],
  ])('%s', (_, changes, code, place) => expectRefused(() => model.losses([image()], [target(changes)]), code, place));

  test('no masks', async () => {
    const { boxes, labels } = target();
    await expectRefused(() => model.losses([image()], [{ boxes, labels }]), 'TARGET_INVALID', 'targets[0].masks');
  });

  test('one target too few', () =>
    expectRefused(() => model.losses([image(), image()], [target()]), 'INVALID_ARGUMENT', 'targets'));

  test('the error names the image', () =>
    expectRefused(
      () => model.losses([image()], [target({ labels: Int32Array.of(1, 9), imageId: 4711 })]),
      'LABEL_OUT_OF_RANGE',
      'targets[0].labels[1] of image 4711',
    ));
});

describe('nothing to find', () => {
  const empty: Target = { boxes: new Float32Array(), labels: new Int32Array() };

  test('images without objects have finite losses; of boxes and masks exactly 0', async () => {
    const losses = await model.losses([image(), image(30, 30)], [empty, empty]);
    const values = Object.fromEntries(Object.entries(losses).map(([name, loss]) => [name, loss.dataSync()[0]!]));
    expect(Object.values(values).every(Number.isFinite)).toBe(true);
    expect(values).toMatchObject({ loss_box_reg: 0, loss_mask: 0, loss_rpn_box_reg: 0 });
    expect(values['loss_classifier']).toBeGreaterThan(0);
    tf.dispose(Object.values(losses));
  });

  test('crowds are not learnt: an image of crowds alone is one without objects', async () => {
    const read = async (one: Target): Promise<number[]> => {
      const losses = await model.losses([image()], [one], { phase: 'predict' });
      const values = Object.values(losses).map((loss) => loss.dataSync()[0]!);
      tf.dispose(Object.values(losses));
      return values;
    };
    expect(await read(target({ crowd: Uint8Array.of(1, 1) }))).toEqual(await read(empty));
  });
});

import '@tensorflow/tfjs-backend-cpu';
import { sigmoidFocal } from '@rcnn/boxes';
import { Random, resizeBilinear } from '@rcnn/core';
import { expectClose, expectGradients, expectNoLeak } from '@rcnn/core/testing';
import { Mask } from '@rcnn/masks';
import { expectSameBits } from '@rcnn/shared/same-bits';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import {
  assignToGrids,
  cellOf,
  centerOfMass,
  coordinates,
  diceLoss,
  matrixNms,
  packMasks,
  pointsNms,
  shrinkMask,
  withCoordinates,
} from '../src/index.ts';
import { mapOf, readFixture, SMALL_LEVELS } from './support/fixtures.ts';

beforeAll(() => tf.setBackend('cpu'));

// By the authors' heads (WXinlong/SOLO at f4cd03b9); tolerance 1e-5.
describe('the references’ functions', () => {
  test('cells of every pixel of a side of 768, on all grids', async () => {
    const fixture = await readFixture('grid_floor');
    const centers = fixture.floats('centres');
    for (const grid of [40, 36, 24, 16, 12, 10, 9, 6, 4, 3]) {
      const cells = Int32Array.from(centers, (center) => cellOf(center, 768, grid));
      expectSameBits(cells, fixture.integers(`cells.S${grid}`), `grid ${grid}`);
    }
  });

  test('points NMS', async () => {
    const fixture = await readFixture('functions');
    for (const image of [0, 1]) {
      const of = (name: string): Float32Array =>
        tf.tidy(() => tf.slice(mapOf(fixture, name), [image, 0, 0, 0], [1, -1, -1, -1]).dataSync() as Float32Array);
      expectSameBits(pointsNms(of('points_nms.in'), 7), of('points_nms.out'));
    }
  });

  test('Dice loss and focal loss, with their gradients', async () => {
    const fixture = await readFixture('functions');
    const truth = tf.tensor2d(Float32Array.from(fixture.integers('dice.targets')), [6, 99]);
    const logits = tf.tensor2d(fixture.floats('dice.logits'), [6, 99]);
    const dice = (x: tf.Tensor): tf.Tensor1D => diceLoss(tf.sigmoid(x) as tf.Tensor2D, truth);
    expectClose(dice(logits), tf.tensor1d(fixture.floats('dice.loss')));
    expectClose(
      tf
        .grad((x) => tf.sum(dice(x)))(logits)
        .dataSync(),
      fixture.floats('dice.grad'),
    );

    const labels = fixture.integers('focal.labels'); // 0 is background
    const targets = new Float32Array(40 * 5);
    labels.forEach((label, row) => {
      if (label > 0) targets[row * 5 + label - 1] = 1;
    });
    const divisor = 7; // what the script that made the file divided by
    const focal = (x: tf.Tensor): tf.Tensor =>
      tf.div(tf.sum(sigmoidFocal(x, tf.tensor2d(targets, [40, 5]) as tf.Tensor)), divisor);
    const x = tf.tensor2d(fixture.floats('focal.logits'), [40, 5]);
    expectClose(focal(x).dataSync(), fixture.floats('focal.loss'));
    expectClose(tf.grad(focal)(x).dataSync(), fixture.floats('focal.grad'));
  });

  test('coordinates and resizes', async () => {
    const fixture = await readFixture('functions');
    for (const [name, height, width] of [
      ['4x6', 4, 6],
      ['1x5', 1, 5],
    ] as const) {
      // biome-ignore format: one line
      const [x, y] = tf.split(tf.reshape(coordinates([1, height, width]), [height * width, 2]), 2, 1);
      expectClose([...x!.dataSync(), ...y!.dataSync()], fixture.floats(`coordinates.${name}`));
    }
    const input = mapOf(fixture, 'resize.in');
    for (const [name, size] of [
      ['half', [6, 7]],
      ['to5', [5, 5]],
      ['to9', [9, 9]],
      ['to10', [10, 10]],
      ['to16', [16, 16]],
    ] as const) {
      // biome-ignore format: one line
      expectClose(resizeBilinear(input, size), mapOf(fixture, `resize.${name}`));
    }
  });

  test('matrix NMS by both kernels', async () => {
    const fixture = await readFixture('functions');
    const { bitmaps } = fixture.bitmaps('matrix_nms.masks');
    const packed = packMasks(Float32Array.from(bitmaps.flatMap((bits) => [...bits])), bitmaps.length, 0.5);
    const [scores, labels] = [fixture.floats('matrix_nms.scores'), fixture.integers('matrix_nms.labels')];
    expectClose(matrixNms(packed, scores, labels), fixture.floats('matrix_nms.gaussian2.0'));
    expectClose(matrixNms(packed, scores, labels, { sigma: 0.5 }), fixture.floats('matrix_nms.gaussian0.5'));
    expectClose(matrixNms(packed, scores, labels, { kernel: 'linear' }), fixture.floats('matrix_nms.linear'));
  });

  test('truth masks at a quarter and an eighth', async () => {
    const fixture = await readFixture('functions');
    const bitmaps = (name: string): Uint8Array[] => {
      const shape = fixture.shape(name);
      const all = Uint8Array.from(fixture.integers(name));
      const size = shape[1]! * shape[2]!;
      return Array.from({ length: shape[0]! }, (_, k) => all.slice(k * size, (k + 1) * size));
    };
    for (const [name, size] of [
      ['quarter', [8, 12]],
      ['eighth', [4, 6]],
    ] as const) {
      // biome-ignore format: one line
      const expected = bitmaps(`mask_target.${name}`);
      bitmaps('mask_target.in').forEach((bits, k) => {
        expectSameBits(shrinkMask({ bits, size: [32, 48] }, size, [32, 48]), expected[k]!, `${name} ${k}`);
      });
    }
  });
});

describe('by hand', () => {
  test('points NMS keeps equal neighbors', () => {
    const scores = Float32Array.of(0.1, 0.5, 0.5, 0.9, 0.2, 0.3, 0.4, 0.4, 0.8);
    expectClose(pointsNms(scores, 3), [0.1, 0.5, 0.5, 0.9, 0, 0, 0, 0, 0.8]);
  });

  test('matrix NMS of nested masks; equal masks in front are no division by zero', () => {
    const mask = (pixels: number): number[] => Array.from({ length: 12 }, (_, i) => (i < pixels ? 1 : 0));
    const nested = packMasks([...mask(10), ...mask(6), ...mask(5)], 3, 0.5);
    const scores = Float32Array.of(0.9, 0.8, 0.7);
    const one = Int32Array.of(1, 1, 1);
    expectClose(matrixNms(nested, scores, one), [0.9, 0.389402, 0.358594]);
    expectClose(matrixNms(nested, scores, one, { kernel: 'linear' }), [0.9, 0.32, 0.291667]);
    expectClose(matrixNms(nested, scores, Int32Array.of(1, 2, 1)), [0.9, 0.8, 0.424571]);
    const equal = packMasks([...mask(4), ...mask(4), ...mask(4)], 3, 0.5);
    expectClose(matrixNms(equal, scores, one, { kernel: 'linear' }), [0.9, 0, 0]);
    expect(matrixNms(packMasks([], 0, 0.5), new Float32Array(), new Int32Array())).toHaveLength(0);
  });

  test('Dice loss of halves', () => {
    const half = tf.fill([2, 4], 0.5) as tf.Tensor2D;
    const truth = tf.tensor2d([1, 1, 1, 1, 0, 0, 0, 0], [2, 4]);
    expectClose(diceLoss(half, truth), [1 - 4 / 5.002, 1]);
    expect(diceLoss(tf.zeros([0, 4]), tf.zeros([0, 4])).shape).toEqual([0]);
  });

  test('coordinates stand behind the channels, x first', () => {
    const map = withCoordinates(tf.fill([1, 1, 2, 1], 7) as tf.Tensor4D);
    expectClose(map, tf.tensor4d([7, -1, -1, 7, 1, -1], [1, 1, 2, 3]));
    expect(withCoordinates(tf.zeros([2, 3, 4, 5]), 'y').shape).toEqual([2, 3, 4, 6]);
  });

  test('a mask that is smaller than the batch has background around it, and a center without half a pixel', () => {
    const bits = Uint8Array.of(1, 1, 1, 1);
    expect([...shrinkMask({ bits, size: [2, 2] }, [2, 2], [4, 4])]).toEqual([1, 0, 0, 0]);
    expect(centerOfMass({ bits, size: [2, 2] })).toEqual([0.5, 0.5]);
    expect(centerOfMass({ bits: new Uint8Array(4), size: [2, 2] })).toBeUndefined();
  });

  test('a later object takes a shared cell; its mask is learnt beside the other or instead of it', () => {
    const masks = [Mask.fromBox([0, 0, 32, 32], [64, 64]), Mask.fromBox([0, 0, 32, 32], [64, 64])];
    const target = { boxes: Float32Array.of(0, 0, 32, 32, 0, 0, 32, 32), labels: Int32Array.of(3, 5), masks };
    const level = (sharedCells: 'both' | 'last') =>
      assignToGrids(target, [64, 64], { levels: SMALL_LEVELS, sharedCells }).levels[1]!;
    expect([...level('both').objects].sort()).toEqual(
      [...level('last').objects].flatMap((object) => [object - 1, object]).sort(),
    );
    expect(new Set(level('both').labels)).toEqual(new Set([0, 5]));
    const nothing = { boxes: new Float32Array(), labels: new Int32Array() };
    for (const { cells, labels } of assignToGrids(nothing, [64, 64], { levels: SMALL_LEVELS, sharedCells: 'both' })
      .levels) {
      expect([cells.length, labels.every((label) => label === 0)]).toEqual([0, true]);
    }
  });
});

test.each(Array.from({ length: 20 }, (_, seed) => seed))(
  'the gradient of the Dice loss in float64, seed %i',
  (seed) => {
    const random = new Random(seed);
    const [rows, cells] = [1 + random.integer(3), 1 + random.integer(9)];
    const truth = Float32Array.from({ length: rows * cells }, () => random.integer(2));
    const values = Float32Array.from({ length: rows * cells }, () => random.uniform());
    const slowly = (p: Float64Array): number[] =>
      Array.from({ length: rows }, (_, r) => {
        let [shared, total] = [0, 0.002];
        for (let i = r * cells; i < (r + 1) * cells; i++) {
          shared += p[i]! * truth[i]!;
          total += p[i]! ** 2 + truth[i]! ** 2;
        }
        return 1 - (2 * shared) / total;
      });
    const op = (p: tf.Tensor): tf.Tensor => diceLoss(p as tf.Tensor2D, tf.tensor2d(truth, [rows, cells]));
    expectGradients(op, slowly, [{ shape: [rows, cells], values }], { absolute: 1e-4, relative: 1e-3 });
  },
);

test('the Dice loss gains no tensor', async () => {
  const p = tf.fill([2, 3], 0.3) as tf.Tensor2D;
  await expectNoLeak(() => {
    diceLoss(p, p).dispose();
    tf.grad((x) => tf.sum(diceLoss(x as tf.Tensor2D, p)))(p).dispose();
  });
});

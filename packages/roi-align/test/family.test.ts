import '@tensorflow/tfjs-backend-cpu';
import { Random } from '@rcnn/core/random';
import { expectClose, expectGradients, expectNoLeak } from '@rcnn/core/testing';
import { Fixture } from '@rcnn/fixtures';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { psRoIAlign, psRoIPool, roiPool } from '../src/index.ts';

// Made by torchvision 0.29.1. Its layout is [N, C, H, W].
const SCALE = 1 / 16;

let positions: Fixture;
let pool: Fixture;
beforeAll(async () => {
  positions = await Fixture.read(new URL('fixtures/ps_roi.safetensors', import.meta.url));
  pool = await Fixture.read(new URL('fixtures/roi_pool.safetensors', import.meta.url));
});

/** A stored `[N, C, H, W]` as `[N, H, W, C]`. */
function map(fixture: Fixture, name: string): tf.Tensor4D {
  const shape = fixture.shape(name) as [number, number, number, number];
  return tf.tidy(() => tf.transpose(tf.tensor4d(fixture.floats(name), shape), [0, 2, 3, 1]));
}

function compare(fixture: Fixture, at: string, input: string, op: (x: tf.Tensor4D) => tf.Tensor4D): void {
  tf.tidy(() => {
    const x = map(fixture, input);
    expectClose(op(x), map(fixture, `${at}.out`));
    const gradient = tf.grad((features) => op(features as tf.Tensor4D))(x, map(fixture, `${at}.grad_out`));
    expectClose(gradient, map(fixture, `${at}.grad_input`));
  });
}

describe.each([2, 3, 7])('%i bins a side, forward and backward', (bins) => {
  const options = { bins, spatialScale: SCALE };
  const at = (name: string): string => `k${bins}.${name}`;

  test('pooled', () => {
    compare(positions, at('pool'), at('input'), (x) =>
      psRoIPool(x, positions.floats('rois'), { ...options, backward: 'torchvision' }),
    );
  });
  test('aligned, two samples', () => {
    const two = { ...options, samplingRatio: 2 };
    compare(positions, at('align.sampling2'), at('input'), (x) => psRoIAlign(x, positions.floats('rois'), two));
  });
  test('aligned, adaptive', () => {
    const rois = positions.floats('rois_adaptive');
    compare(positions, at('align.adaptive'), at('input'), (x) => psRoIAlign(x, rois, options));
  });
});

test('which score map each bin reads', () => {
  tf.tidy(() => {
    const ramp = map(positions, 'ramp.input');
    const rois = positions.floats('ramp.rois');
    expectClose(psRoIPool(ramp, rois, { bins: 2 }), map(positions, 'ramp.pool'));
    expectClose(psRoIAlign(ramp, rois, { bins: 2, samplingRatio: 2 }), map(positions, 'ramp.align2'));
  });
});

test('the authors’ rule reads the last row and column', () => {
  tf.tidy(() => {
    const ramp = tf.reshape(tf.range(0, 16), [1, 4, 4, 1]) as tf.Tensor4D;
    const whole = Float32Array.of(0, 0, 0, 3, 3);
    expectClose(psRoIPool(ramp, whole, { bins: 1 }), [5]); // rows and columns 0 to 2
    expectClose(psRoIPool(ramp, whole, { bins: 1, rule: 'caffe' }), [7.5]); // all of it
    // Half a cell is not rounded away: [1, 1, 2, 2] in pixels are cells .5 to 1.5, which touch rows 0 and 1.
    const small = Float32Array.of(0, 1, 1, 2, 2);
    expectClose(psRoIPool(ramp, small, { bins: 1, spatialScale: 0.5, rule: 'caffe' }), [2.5]);
  });
});

test('gradients are those of the same function in doubles, for RoIs at borders, outside and without size', () => {
  for (let seed = 0; seed < 20; seed++) {
    const random = new Random(seed);
    const corner = (): number => random.uniform(-3, 7);
    const rois = Float32Array.from([0, 0, 0].flatMap((image) => [image, corner(), corner(), corner(), corner()]));
    rois.set([rois[1]!, rois[2]!], 3); // no size
    const values = Float32Array.from({ length: 4 * 5 * 4 }, () => random.uniform(-1, 1));
    for (const op of [
      (x: tf.Tensor) => psRoIPool(x as tf.Tensor4D, rois, { bins: 2 }),
      (x: tf.Tensor) => psRoIPool(x as tf.Tensor4D, rois, { bins: 2, rule: 'caffe' }),
      (x: tf.Tensor) => psRoIAlign(x as tf.Tensor4D, rois, { bins: 2, samplingRatio: 2 }),
    ]) {
      // The pools are linear: their value at each unit map gives the matrix, in the doubles that sums of it need.
      const matrix = Array.from(values, (_, i) => {
        const unit = new Float32Array(values.length);
        unit[i] = 1;
        return Float64Array.from(tf.tidy(() => op(tf.tensor4d(unit, [1, 4, 5, 4])).dataSync()));
      });
      const reference = (...[x]: Float64Array[]): Float64Array =>
        matrix[0]!.map((_, o) => x!.reduce((sum, value, i) => sum + value * matrix[i]![o]!, 0));
      expectGradients(op, reference, [{ shape: [1, 4, 5, 4], values }]);
    }
  }
});

test('no RoIs, no bins; and nothing is left behind', async () => {
  const x = tf.ones<tf.Rank.R4>([1, 4, 4, 8]);
  expect(psRoIPool(x, new Float32Array(0), { bins: 2 }).shape).toEqual([0, 2, 2, 2]);
  expect(psRoIAlign(x, new Float32Array(0), { bins: 2 }).shape).toEqual([0, 2, 2, 2]);
  await expectNoLeak(() => psRoIPool(x, Float32Array.of(0, 0, 0, 3, 3), { bins: 2 }).dispose());
});

test.each([
  ['channels that do not divide', { bins: 3 }, 'found 8 channels for 3x3 bins, expected a multiple of 9'],
  ['no bins', { bins: 0 }, 'psRoIPool (bins)'],
  ['another rule', { bins: 2, rule: 'mean' as 'caffe' }, 'psRoIPool (rule)'],
])('%s are refused', (_, options, message) => {
  expect(() => psRoIPool(tf.ones([1, 4, 4, 8]), Float32Array.of(0, 0, 0, 3, 3), options)).toThrow(message);
});

test('a box that is no number is refused', () => {
  const rois = Float32Array.of(0, 0, Number.NaN, 3, 3);
  expect(() => psRoIAlign(tf.ones([1, 4, 4, 8]), rois, { bins: 2 })).toThrow(/NON_FINITE|no number/);
});

test.each(['7x7', '3x5'])('RoIPool of %s: copies of the winners, first in row order', (size) => {
  const outputSize = size.split('x').map(Number) as [number, number];
  tf.tidy(() => {
    const op = (x: tf.Tensor4D): tf.Tensor4D => roiPool(x, pool.floats('rois'), { outputSize, spatialScale: SCALE });
    const x = map(pool, 'input');
    expectClose(op(x), map(pool, `out.${size}`), { absolute: 0, relative: 0 });
    const gradient = tf.grad((features) => op(features as tf.Tensor4D))(x, map(pool, `grad_output.${size}`));
    expectClose(gradient, map(pool, `grad_input.${size}`), { absolute: 1e-6, relative: 1e-6 });
  });
});

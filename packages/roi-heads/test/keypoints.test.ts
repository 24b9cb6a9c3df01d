import { useEngine, valueAndGradients } from '@rcnn/core';
import { expectClose, expectNoLeak } from '@rcnn/core/testing';
import { above, Fixture, relativeToMaximum } from '@rcnn/fixtures';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import {
  bicubicResize,
  bicubicTaps,
  decodeKeypoints,
  encodeKeypoints,
  KeypointRCNNPredictor,
  keypointLoss,
  matchedKeypoints,
} from '../src/index.ts';

const read = (name: string): Promise<Fixture> => Fixture.read(new URL(`fixtures/${name}.safetensors`, import.meta.url));

beforeAll(() => useEngine('cpu'));

describe('bicubic', () => {
  test('taps between two cells, worked out by hand', () => {
    // From 2 cells to 4 the new centers lie 1/4 and 3/4 of the way between old ones.
    expectClose(bicubicTaps(2, 4).weights.slice(4, 8), [-0.10546875, 0.87890625, 0.26171875, -0.03515625]);
    expectClose(bicubicTaps(2, 1).weights, [-0.09375, 0.59375, 0.59375, -0.09375]);
    expect([...bicubicTaps(2, 1).cells]).toEqual([0, 0, 1, 1]); // clamped at both ends
  });

  test('resizes as PyTorch does, larger, smaller and to one cell', async () => {
    const fixture = await read('bicubic');
    const sizes = fixture.names.filter((name) => name.startsWith('out'));
    expect(sizes).toHaveLength(11);
    for (const name of sizes) {
      const [, channels, height, width] = fixture.shape(name) as [number, number, number, number];
      const source = name.startsWith('out56') ? 'input56' : 'input';
      const [, , rows, columns] = fixture.shape(source) as [number, number, number, number];
      const maps = fixture.floats(source);
      const cells = rows * columns;
      const ours = Array.from({ length: channels }, (_, c) => {
        return [...bicubicResize(maps.subarray(c * cells, (c + 1) * cells), [rows, columns], [height, width])];
      });
      expect(above({ [name]: relativeToMaximum(ours.flat(), fixture.floats(name)) }, 1e-5)).toEqual({});
    }
  });
});

describe('decoding', () => {
  test.each(['logit', 'peak'] as const)('places by torchvision, scores by the reference of %s', async (score) => {
    const fixture = await read('decode');
    const found = decodeKeypoints(fixture.floats('maps'), fixture.floats('rois'), 56, score);
    const [expected, margin] = [fixture.floats('keypoints'), fixture.floats('margin')];
    const scores = fixture.floats(score === 'logit' ? 'scores' : 'detectron2.score');
    let compared = 0;
    for (const [at, gap] of margin.entries()) {
      const off = Math.abs(found[3 * at + 2]! - scores[at]!) / Math.max(1, Math.abs(scores[at]!));
      expect(above({ [`score ${at}`]: off }, 1e-4)).toEqual({});
      if (!(gap > 1e-4)) continue; // two pixels are as high: rounding chooses
      compared++;
      for (const c of [0, 1])
        expect(above({ [`point ${at}`]: Math.abs(found[3 * at + c]! - expected[3 * at + c]!) }, 0.02)).toEqual({});
    }
    expect(compared).toBeGreaterThan(40);
  });

  test('of equal pixels the first is taken', () => {
    const [x, y, score] = decodeKeypoints(new Float32Array(56 * 56).fill(0.3), Float32Array.of(10, 20, 17.5, 29), 56);
    expectClose([x!, y!, score!], [10 + (0.5 * 7.5) / 8, 20.5, 0.3]);
  });

  test('a region without an area, or a reversed one, is one pixel', () => {
    const map = Float32Array.from({ length: 56 * 56 }, (_, i) => i);
    const [x, y] = decodeKeypoints(map, Float32Array.of(5, 6, 5, 2), 56);
    expect([x, y]).toEqual([5.5, 6.5]);
  });

  test('a peak worked out by hand; no regions', () => {
    const map = new Float32Array(56 * 56);
    map[10 * 56 + 20] = 5;
    expect([...decodeKeypoints(map, Float32Array.of(10, 20, 66, 76), 56)]).toEqual([30.5, 30.5, 5]);
    expect(decodeKeypoints(new Float32Array(), new Float32Array(), 56)).toHaveLength(0);
  });
});

describe('targets', () => {
  test.each([
    [56, 'encode'],
    [28, 'encode28'],
  ] as const)('cells of a heatmap of %i cells are torchvision’s', async (size, name) => {
    const fixture = await read('targets_and_loss');
    const { cells, valid } = encodeKeypoints(fixture.floats('encode.keypoints'), fixture.floats('encode.rois'), size);
    expect([...valid]).toEqual([...fixture.integers(`${name}.valid`)]);
    expect([...cells]).toEqual([...fixture.integers(`${name}.bins`)]);
  });

  test('corners, outside and unlabelled, worked out by hand', () => {
    const points = Float32Array.of(10, 20, 2, 30, 40, 1, 31, 20, 2, 20, 25, 0);
    const { cells, valid } = encodeKeypoints(points, Float32Array.of(10, 20, 30, 40), 56);
    expect([...valid]).toEqual([1, 1, 0, 0]);
    expect([...cells]).toEqual([0, 3135, 0, 0]);
  });
});

describe('the loss', () => {
  test('its value and gradient are torchvision’s', async () => {
    const fixture = await read('targets_and_loss');
    const parts = [0, 1].map((i) => {
      const keypoints = fixture.floats(`loss.gt_keypoints.${i}`);
      const labels = new Int32Array(keypoints.length / 12).fill(1);
      const matchedIndices = fixture.integers(`loss.matched.${i}`);
      const of = matchedKeypoints({ matchedIndices }, { keypoints, labels });
      const encoded = encodeKeypoints(of, fixture.floats(`loss.proposals.${i}`), 56);
      expect([...encoded.cells]).toEqual([...fixture.integers(`loss.bins.${i}`)]);
      return encoded;
    });
    const targets = {
      cells: Int32Array.from(parts.flatMap(({ cells }) => [...cells])),
      valid: Uint8Array.from(parts.flatMap(({ valid }) => [...valid])),
    };
    expect(targets.valid.reduce((a, b) => a + b)).toBe(fixture.integers('loss.valid_count')[0]);
    const logits = tf.tensor4d(fixture.floats('loss.logits'), [5, 4, 56, 56]);
    const { value, grad } = tf.valueAndGrad((x) => keypointLoss(x as tf.Tensor4D, targets))(logits);
    expect(relativeToMaximum(value.dataSync(), fixture.floats('loss.value'))).toBeLessThan(1e-5);
    expect(relativeToMaximum(grad.dataSync(), fixture.floats('loss.grad_logits'))).toBeLessThan(1e-5);
    tf.dispose([logits, value, grad]);
  });

  test('no valid point: 0, and zeros as gradient', () => {
    const logits = tf.ones([1, 2, 4, 4]) as tf.Tensor4D;
    const nothing = { cells: new Int32Array(2), valid: new Uint8Array(2) };
    const { value, grad } = tf.valueAndGrad((x) => keypointLoss(x as tf.Tensor4D, nothing))(logits);
    expect(Math.abs(value.dataSync()[0]!)).toBe(0);
    expect(grad.dataSync().every((g) => g === 0)).toBe(true);
    tf.dispose([logits, value, grad]);
  });

  test('a target too few is refused', () => {
    const logits = tf.ones([1, 2, 4, 4]) as tf.Tensor4D;
    const wrong = { cells: new Int32Array(1), valid: new Uint8Array(1) };
    expect(() => keypointLoss(logits, wrong)).toThrow('1 regions times 2 key points');
    logits.dispose();
  });

  // In doubles, from the definition: cross-entropy of the right cell, mean over the valid heatmaps.
  test.each(Array.from({ length: 20 }, (_, seed) => seed))('value and gradient in doubles, seed %i', (seed) => {
    const [regions, points, size] = [1 + (seed % 3), 1 + (seed % 4), 3 + (seed % 5)];
    const cells = size * size;
    const count = regions * points;
    const draw = (i: number): number => ((Math.imul(i + 1 + 977 * seed, 0x9e3779b1) >>> 8) / 2 ** 24) * 8 - 4;
    const values = Float32Array.from({ length: count * cells }, (_, i) => (seed % 5 === 0 ? 1 : draw(i))); // all tied
    const targets = {
      cells: Int32Array.from({ length: count }, (_, i) => [0, cells - 1, (7 * i) % cells][(i + seed) % 3]!), // borders
      valid: Uint8Array.from({ length: count }, (_, i) => ((i + seed) % 3 === 0 ? 0 : 1)),
    };
    const valid = targets.valid.reduce((a, b) => a + b, 0);
    const expected = new Float64Array(values.length);
    let sum = 0;
    for (let row = 0; row < count; row++) {
      if (targets.valid[row] !== 1) continue;
      const logits = [...values.subarray(row * cells, (row + 1) * cells)];
      const total = logits.reduce((t, logit) => t + Math.exp(logit), 0);
      sum += Math.log(total) - logits[targets.cells[row]!]!;
      for (const [i, logit] of logits.entries()) {
        expected[row * cells + i] = (Math.exp(logit) / total - (i === targets.cells[row] ? 1 : 0)) / valid;
      }
    }
    const x = tf.tensor4d(values, [regions, points, size, size]);
    const { value, grad } = tf.valueAndGrad((logits) => keypointLoss(logits as tf.Tensor4D, targets))(x);
    expectClose(value, valid === 0 ? 0 : sum / valid);
    expectClose([...grad.dataSync()], [...expected]);
    tf.dispose([x, value, grad]);
  });
});

describe('the predictor', () => {
  test('its second step is a bilinear resize with half-pixel centers, to the bit of an identity', async () => {
    const predictor = new KeypointRCNNPredictor(1, 1);
    // Only this cell of the kernel: each input cell lands on one output cell, so the resize is seen alone.
    const kernel = new Float32Array(16);
    kernel[5] = 1;
    predictor
      .namedParameters()
      .get('kps_score_lowres.weight')!
      .variable.assign(tf.tensor4d(kernel, [4, 4, 1, 1]));
    const values = Float32Array.from({ length: 6 }, (_, i) => i * i - 3 * i);
    const x = tf.tensor4d(values, [1, 2, 3, 1]);
    const y = predictor.forward(x);
    expect(y.shape).toEqual([1, 1, 8, 12]);
    const upsampled = new Float32Array(4 * 6);
    for (let i = 0; i < 6; i++) upsampled[2 * Math.floor(i / 3) * 6 + 2 * (i % 3)] = values[i]!;
    const expected = tf.image.resizeBilinear(tf.tensor3d(upsampled, [4, 6, 1]), [8, 12], false, true);
    expectClose(y, [...(await expected.data())]);
    await expectNoLeak(() => predictor.forward(x).dispose());
    tf.dispose([x, y, expected]);
    predictor.dispose();
  });

  test('the gradient is that of finite differences in doubles, at edges too', async () => {
    const predictor = new KeypointRCNNPredictor(2, 2);
    const x = tf.randomNormal([1, 2, 3, 2], 0, 1, 'float32', 5) as tf.Tensor4D;
    const weights = tf.randomNormal([1, 2, 8, 12], 0, 1, 'float32', 6);
    const objective = (input: tf.Tensor): tf.Scalar =>
      tf.sum(tf.mul(weights, predictor.forward(input as tf.Tensor4D))) as tf.Scalar;
    const gradient = await tf.grad(objective)(x).data();
    const values = await x.data<'float32'>();
    // The predictor is linear: a step of 1 gives the derivative up to rounding.
    for (const i of values.keys()) {
      const moved = [1, -1].map((step) => {
        const at = tf.tensor4d(values.map((v, k) => (k === i ? v + step : v)), [1, 2, 3, 2]); // biome-ignore format: one line
        return objective(at).dataSync()[0]!;
      });
      expect(Math.abs((moved[0]! - moved[1]!) / 2 - gradient[i]!)).toBeLessThan(1e-4);
    }
    const parameters = predictor.namedParameters();
    const { loss, gradients } = await valueAndGradients(() => ({ loss: objective(x) }), parameters);
    expect([...gradients.keys()]).toEqual([...parameters.keys()]);
    tf.dispose([loss, ...gradients.values(), x, weights]);
    predictor.dispose();
  });
});

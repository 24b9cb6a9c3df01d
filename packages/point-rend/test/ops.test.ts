import { bceWithLogits } from '@rcnn/boxes';
import { Parameter, useEngine, valueAndGradients } from '@rcnn/core';
import { expectClose } from '@rcnn/core/testing';
import { above, type Fixture, relativeError, relativeToMaximum } from '@rcnn/fixtures';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, test } from 'vitest';
import { logitsOfClass } from '../src/class-logits.ts';
import {
  doubled,
  gridPoints,
  mostUncertain,
  type PlacedPoints,
  placeInMap,
  placeInOwnMaps,
  pointsInPixels,
  samplePoints,
  sampleValues,
  subdivide,
  trainingPoints,
} from '../src/index.ts';
import { labelsOf, mapOf, read, swapped } from './support.ts';

describe.each(['onnxruntime', 'cpu'] as const)('detectron2’s point functions on %s', (engine) => {
  test('grids, maps read at points on and beyond the border, and what comes back to the map', async () => {
    await useEngine(engine);
    const fixture = await read('ops');
    for (const side of [2, 7]) expectClose([...gridPoints(side)], [...fixture.floats(`grid.${side}`)]);
    const input = mapOf(fixture, 'sample.input');
    const [images, height, width, channels] = input.shape;
    const coords = fixture.floats('sample.coords');
    const perImage = coords.length / 2 / images;
    const points: PlacedPoints = {
      images: Int32Array.from({ length: images * perImage }, (_, i) => Math.floor(i / perImage)),
      places: coords.map((share, i) => share * (i % 2 === 0 ? width : height) - 0.5),
    };
    const variable = new Parameter(input);
    const dy = swapped(fixture.floats('sample.grad_output'), [images, channels, perImage]);
    const { loss, gradients, extra } = await valueAndGradients(
      () => {
        const value = samplePoints(variable.value as tf.Tensor4D, points);
        const weighted = tf.mul(value, tf.tensor2d(dy, value.shape));
        return Promise.resolve({ loss: tf.sum(weighted) as tf.Scalar, extra: value });
      },
      new Map([['map', variable]]),
    );
    const expected = swapped(fixture.floats('sample.output'), [images, channels, perImage]);
    const back = tf.tidy(() => tf.transpose(gradients.get('map')!, [0, 3, 1, 2]).dataSync());
    const errors = {
      output: relativeToMaximum(extra.dataSync(), expected),
      gradient: relativeToMaximum(back, fixture.floats('sample.grad_input')),
    };
    expect(above(errors, 1e-5)).toEqual({});
    tf.dispose([loss, extra, ...gradients.values()]);
    variable.dispose();
  });

  test('fine features of two maps, one after the other', async () => {
    await useEngine(engine);
    const fixture = await read('ops');
    const boxes = [0, 1].map((i) => fixture.floats(`fine.boxes.${i}`));
    const coords = fixture.floats('fine.coords');
    const inImage = [
      ...pointsInPixels(coords.subarray(0, 36), boxes[0]!),
      ...pointsInPixels(coords.subarray(36), boxes[1]!),
    ];
    expect(above({ pixels: relativeToMaximum(inImage, fixture.floats('fine.coords_in_image')) }, 1e-5)).toEqual({});
    const found = tf.tidy(() =>
      tf
        .concat(
          [4, 8].map((stride) => samplePoints(mapOf(fixture, `fine.map${stride}`), placeInMap(coords, boxes, stride))),
          1,
        )
        .dataSync(),
    );
    const expected = swapped(fixture.floats('fine.output'), [3, 10, 9]);
    expect(above({ fine: relativeToMaximum(found, expected) }, 1e-5)).toEqual({});
  });

  test('the loss and its gradient', async () => {
    await useEngine(engine);
    const fixture = await read('ops');
    const labels = labelsOf(fixture, 'loss.classes');
    const [regions, classes, points] = fixture.shape('loss.logits') as [number, number, number];
    const logits = tf.tensor2d(swapped(fixture.floats('loss.logits'), [regions, classes, points]), [
      regions * points,
      classes,
    ]);
    const truth = tf.tensor1d(fixture.floats('labels.output'));
    const { value, grad } = tf.valueAndGrad((x) =>
      tf.mean(bceWithLogits(logitsOfClass(x as tf.Tensor2D, labels), truth)),
    )(logits);
    expect(relativeError(value.dataSync()[0]!, fixture.floats('loss.value')[0]!)).toBeLessThan(1e-5);
    const expected = swapped(fixture.floats('loss.grad'), [regions, classes, points]);
    expect(above({ gradient: relativeToMaximum(grad.dataSync(), expected) }, 1e-5)).toEqual({});
    tf.dispose([logits, truth, value, grad]);
  });
});

test('of one class there is one logit to take', () => {
  const found = tf.tidy(() => logitsOfClass(tf.tensor2d([1, 2, 3, 4], [4, 1]), Int32Array.of(1, 1)).dataSync());
  expect([...found]).toEqual([1, 2, 3, 4]);
});

test('points to learn from: the least sure of the pool, then the others, in detectron2’s order', async () => {
  const fixture = await read('ops');
  const coarse = ofClasses(fixture, 'train.coarse_logits', 'train.classes');
  const draws = ['train.random_pool', 'train.random_rest'].map((name) => fixture.floats(name));
  const points = trainingPoints(coarse, 7, () => draws.shift()!);
  expect(above({ points: relativeToMaximum(points, fixture.floats('train.points')) }, 1e-6)).toEqual({});
});

test('the least sure places of a grid, as a set', async () => {
  const fixture = await read('ops');
  const [, , height, width] = fixture.shape('grid_points.uncertainty') as [number, number, number, number];
  const values = fixture.floats('grid_points.uncertainty'); // -|logit|
  for (let r = 0; r < 2; r++) {
    const found = mostUncertain(values.subarray(r * height * width, (r + 1) * height * width), 50);
    const expected = fixture.integers('grid_points.indices50').subarray(r * 50, (r + 1) * 50);
    expect([...found].sort()).toEqual([...expected].sort());
  }
  expect(mostUncertain(values.subarray(0, height * width), 784)).toHaveLength(height * width);
  expect([...mostUncertain(Float32Array.of(3, -1, 1, Number.NaN, 0), 3)]).toEqual([4, 1, 2]);
});

test('labels are the mask read between its pixels, not rounded', async () => {
  const fixture = await read('ops');
  const points = fixture.floats('labels.points_in_image');
  const found: number[] = [];
  for (let r = 0; r < 3; r++) {
    const { name, at } = r < 2 ? { name: 'labels.masks.0', at: r } : { name: 'labels.masks.1', at: 0 };
    const [, height, width] = fixture.shape(name) as [number, number, number];
    const area = height * width;
    const mask = (fixture.integers(name) as unknown as Uint8Array).subarray(at * area);
    const places = points.subarray(60 * r, 60 * (r + 1)).map((pixel) => pixel - 0.5);
    found.push(...sampleValues(mask, [height, width], places));
  }
  expect(above({ labels: relativeToMaximum(found, fixture.floats('labels.output')) }, 1e-5)).toEqual({});
});

describe('worked out by hand', () => {
  test.each([
    [0, 0, 0],
    [0.25, 0.25, 0],
    [0.5, 0.5, 1.5],
    [0.9, 0.5, 1.4],
    [1, 1, 0.75],
    [-3, 0.5, 0],
    [Number.NaN, 0.5, 0],
  ])('the map 0 1 / 2 3 at %d, %d is %d', (x, y, expected) => {
    const places = Float32Array.of(2 * x - 0.5, 2 * y - 0.5);
    expectClose([...sampleValues([0, 1, 2, 3], [2, 2], places)], [expected], { absolute: 1e-6 });
  });

  test('a doubled map', () => {
    expectClose([...doubled(Float32Array.of(0, 4, 8, 12), 2)].slice(0, 8), [0, 1, 3, 4, 2, 3, 5, 6]);
  });

  test('a mask is drawn at 28, and only its edge is asked again', async () => {
    const asked: number[] = [];
    // The object is the left half of the region, its edge at 0.5.
    const ask = (points: Float32Array): Promise<Float32Array> => {
      asked.push(points.length / 2);
      return Promise.resolve(Float32Array.from({ length: points.length / 2 }, (_, i) => 100 * (0.5 - points[2 * i]!)));
    };
    const { logits, side } = await subdivide(2, ask, { side: 7 });
    expect([side, ...asked]).toEqual([224, 2 * 784, 2 * 784, 2 * 784, 2 * 784]);
    const wrong = logits.findIndex((logit, i) => logit > 0 !== i % 224 < 112);
    expect(wrong).toBe(-1);
    expect((await subdivide(0, ask, { side: 7 })).logits).toHaveLength(0);
    expect((await subdivide(1, ask, { side: 7, steps: 0 })).side).toBe(7);
  });

  test('no points and no regions', () => {
    expect(placeInOwnMaps(new Float32Array(), 0, 7).images).toHaveLength(0);
    expect(placeInMap(new Float32Array(), [new Float32Array()], 4).places).toHaveLength(0);
    expect(trainingPoints(new Float32Array(), 7, () => new Float32Array())).toHaveLength(0);
    const map = tf.ones([1, 2, 2, 3]) as tf.Tensor4D;
    const none = samplePoints(map, { images: new Int32Array(), places: new Float32Array() });
    expect(none.shape).toEqual([0, 3]);
    tf.dispose([map, none]);
  });
});

/** The coarse logits `[R, K, 7, 7]` of each region's own class: `[R * 49]`. */
function ofClasses(fixture: Fixture, logits: string, classes: string): Float32Array {
  const [regions, count, side] = fixture.shape(logits) as [number, number, number];
  const values = fixture.floats(logits);
  const chosen = fixture.integers(classes);
  const cells = side * side;
  return Float32Array.from({ length: regions * cells }, (_, i) => {
    const r = Math.floor(i / cells);
    return values[(r * count + chosen[r]!) * cells + (i % cells)]!;
  });
}

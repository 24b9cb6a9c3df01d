import '@tensorflow/tfjs-backend-cpu';
import { firstInOrderSampler } from '@rcnn/boxes';
import { Random, useEngine, valueAndGradients } from '@rcnn/core';
import { expectGradients, expectNoLeak } from '@rcnn/core/testing';
import { above, Fixture, relativeError, relativeToMaximum } from '@rcnn/fixtures';
import { Mask } from '@rcnn/masks';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { cropWindow, makePriors, maskLoss, matchPriors, priorBoxes } from '../src/index.ts';
import { type ImageTruth, type LearningOutputs, surprises, yolactLosses } from '../src/yolact-losses.ts';

const read = (name: string): Promise<Fixture> => Fixture.read(new URL(`fixtures/${name}.safetensors`, import.meta.url));

const GRIDS = [18, 9, 5, 3, 2].map((side) => [side, side] as const);
const PRIORS = makePriors(GRIDS, { scales: [[6], [12], [24], [48], [96]], imageSize: 138 });

// The authors' code at commit 902073d4. Losses meet it to 1e-4, gradients to 1e-2 of the largest.
describe.each(['onnxruntime', 'cpu'] as const)('on %s', (engine) => {
  beforeAll(() => useEngine(engine));

  test.each([
    ['losses', 100],
    ['losses_crowd_limited', 4],
  ] as const)('%s of given predictions', async (name, limit) => {
    // biome-ignore format: pairs
    const fixture = await read(name);
    const truth = [0, 1].map((image) => truthOf(fixture, image));
    const outputs = outputsOf(fixture, truth);
    const variables = new Map(Object.entries(outputs).map(([key, value]) => [key, tf.variable(value)]));
    const learn = async () => {
      const found = Object.fromEntries(variables) as unknown as LearningOutputs;
      const ranking = surprises(found.logits);
      const settings = {
        priors: PRIORS,
        surprises: await ranking.data<'float32'>(),
        maskSampler: firstInOrderSampler({ batchSize: limit, positiveFraction: 1 }),
        random: new Random(0),
      };
      ranking.dispose();
      const losses = yolactLosses(found, truth, settings);
      return { loss: tf.addN(Object.values(losses)), extra: losses };
    };
    const { loss, gradients, extra } = await valueAndGradients(learn, asParameters(variables));
    const errors: Record<string, number> = {};
    for (const [ours, theirs] of Object.entries({
      loss_box: 'B',
      loss_class: 'C',
      loss_mask: 'M',
      loss_semantic: 'S',
    })) {
      errors[ours] = relativeError(extra[ours]!.dataSync()[0]!, fixture.floats(`loss.${theirs}`)[0]!);
    }
    expect(above(errors, 1e-4)).toEqual({});

    const positives = truth.flatMap(({ match }, image) => rows(match.labels, image, (label) => label > 0));
    const of = (key: string, at: readonly number[]): number[] => {
      const gradient = gradients.get(key)!;
      const width = gradient.shape.at(-1)!;
      const values = gradient.dataSync();
      return at.flatMap((row) => [...values.subarray(row * width, (row + 1) * width)]);
    };
    const chosen = fixture.integers('ohem.negatives') as unknown as Uint8Array;
    const negatives = [...chosen.keys()].filter((row) => chosen[row] === 1);
    const proto = gradients.get('prototypes')!.dataSync();
    const semantic = gradients.get('semantic')!;
    const [, height, width, classes] = semantic.shape as [number, number, number, number];
    const channelsFirst = tf.tidy(() => tf.transpose(semantic, [0, 3, 1, 2]).dataSync());
    expect(height * width * classes * 2).toBe(channelsFirst.length);
    const wrong = {
      deltas: relativeToMaximum(of('deltas', positives), fixture.floats('grad.loc.of_positives')),
      logits: relativeToMaximum(of('logits', positives), fixture.floats('grad.conf.of_positives')),
      negatives: relativeToMaximum(of('logits', negatives), fixture.floats('grad.conf.of_negatives')),
      coefficients: relativeToMaximum(of('coefficients', positives), fixture.floats('grad.mask.of_positives')),
      prototypes: relativeToMaximum(proto.filter((_, i) => i % 32 === 0), fixture.floats('grad.proto.channel0')), // biome-ignore format: one line
      semantic: relativeToMaximum(channelsFirst, fixture.floats('grad.full.segm')),
    };
    expect(above(wrong, 1e-4)).toEqual({});
    const others = gradients.get('deltas')!.dataSync();
    expect(others.filter((value) => value !== 0).length).toBeLessThanOrEqual(4 * positives.length);
    tf.dispose([loss, ...gradients.values(), ...Object.values(extra)]);
    await expectNoLeak(async () => {
      const again = await learn();
      tf.dispose([again.loss, ...Object.values(again.extra)]);
    });
    tf.dispose([...variables.values(), ...Object.values(outputs)]);
  });

  test('the mask loss alone, with an object that reaches out of its box', async () => {
    const fixture = await read('mask_loss');
    const proto = tf.tensor3d(fixture.floats('proto'), [12, 12, 4]);
    const coefficients = tf.tensor2d(fixture.floats('coefficients'), [5, 4]);
    const bits = fixture.integers('targets') as unknown as Uint8Array;
    const targets = Array.from({ length: 5 }, (_, i) => Float32Array.from(bits.subarray(i * 144, (i + 1) * 144)));
    const truth = { boxes: fixture.floats('boxes'), targets };
    const each = maskLoss(proto, coefficients, truth);
    const { grads, value } = {
      grads: tf.grads((p, c) => tf.sum(maskLoss(p as tf.Tensor3D, c as tf.Tensor2D, truth)))([proto, coefficients]),
      value: tf.sum(each),
    };
    const share = fixture.floats('loss')[0]! / value.dataSync()[0]!; // its weight over the number of positives
    const errors = {
      each: relativeToMaximum(each.dataSync(), fixture.floats('per_positive')),
      proto: relativeToMaximum(tf.mul(grads[0]!, share).dataSync(), fixture.floats('grad_proto')),
      coefficients: relativeToMaximum(tf.mul(grads[1]!, share).dataSync(), fixture.floats('grad_coefficients')),
    };
    expect(above(errors, 1e-5)).toEqual({});
    expect(relativeError(share, 6.125 / 5)).toBeLessThan(1e-5);
  });
});

/** Parameters as the tape wants them, of plain variables. */
function asParameters(variables: ReadonlyMap<string, tf.Variable>) {
  return new Map([...variables].map(([name, variable]) => [name, { variable, value: variable } as never]));
}

function rows(labels: Int32Array, image: number, wanted: (label: number) => boolean): number[] {
  return [...labels.keys()].filter((prior) => wanted(labels[prior]!)).map((prior) => image * labels.length + prior);
}

function truthOf(fixture: Fixture, image: number): ImageTruth {
  const at = `targets.${image}`;
  const all = fixture.floats(`${at}.boxes`);
  const { size, bitmaps } = fixture.bitmaps(`${at}.masks`);
  const count = bitmaps.length - fixture.integers('num_crowds')[image]!; // crowds come last
  const boxes = all.slice(0, 4 * count);
  const labels = fixture
    .integers(`${at}.labels`)
    .slice(0, count)
    .map((label) => label + 1);
  const masks = bitmaps.slice(0, count).map((bitmap) => Mask.fromBitmap(bitmap, size));
  const match = matchPriors(priorBoxes(PRIORS), { boxes, labels, crowdBoxes: all.slice(4 * count) });
  return { boxes, labels, masks, match };
}

function outputsOf(fixture: Fixture, truth: readonly ImageTruth[]) {
  const positives = truth.flatMap(({ match }, image) => rows(match.labels, image, (label) => label > 0));
  const spread = (name: string, width: number): tf.Tensor3D => {
    const values = new Float32Array(2 * 1329 * width);
    const given = fixture.floats(name);
    positives.forEach((row, i) => values.set(given.subarray(i * width, (i + 1) * width), row * width));
    return tf.tensor3d(values, [2, 1329, width]);
  };
  return {
    deltas: spread('in.loc.of_positives', 4),
    logits: tf.tensor3d(fixture.floats('in.conf'), [2, 1329, 6]),
    coefficients: spread('in.mask.of_positives', 32),
    prototypes: tf.tensor4d(fixture.floats('in.proto'), [2, 36, 36, 32]),
    semantic: tf.tidy(() => tf.transpose(tf.tensor4d(fixture.floats('in.segm'), [2, 5, 18, 18]), [0, 2, 3, 1])),
  };
}

test.each(Array.from({ length: 20 }, (_, seed) => seed))('gradients of the mask loss, seed %i', (seed) => {
  const random = new Random(seed);
  const [height, width, count, objects] = [2 + random.integer(4), 2 + random.integer(4), 1 + random.integer(3), random.integer(4)]; // biome-ignore format: one line
  const draw = (size: number): Float32Array => Float32Array.from({ length: size }, () => random.normal());
  const boxes = Float32Array.from({ length: objects }, () => 0).reduce<number[]>((all) => {
    const [x, y] = [random.uniform(0, 0.6), random.uniform(0, 0.6)];
    return [...all, x, y, x + random.uniform(0.1, 0.4), y + random.uniform(0.1, 0.4)];
  }, []);
  const truth = {
    boxes: Float32Array.from(boxes),
    targets: Array.from({ length: objects }, () =>
      Float32Array.from({ length: height * width }, () => random.integer(2)),
    ),
  };
  const reference = (proto: Float64Array, coefficients: Float64Array): number[] =>
    truth.targets.map((target, m) => {
      const { x1, y1, x2, y2 } = cropWindow(truth.boxes, m, [height, width]);
      let sum = 0;
      for (let y = 0; y < height; y++) {
        for (let x = 0; x < width; x++) {
          const cell = y * width + x;
          let logit = 0;
          for (let k = 0; k < count; k++) logit += proto[cell * count + k]! * coefficients[m * count + k]!;
          const p = 1 / (1 + Math.exp(-logit));
          if (!(x >= x1 && x < x2 && y >= y1 && y < y2)) sum += target[cell] === 1 ? 100 : 0;
          else sum -= Math.log(target[cell] === 1 ? p : 1 - p);
        }
      }
      const [left, top, right, bottom] = truth.boxes.subarray(4 * m, 4 * m + 4) as unknown as [number, number, number, number]; // biome-ignore format: one line
      return sum / ((right - left) * width) / ((bottom - top) * height);
    });
  expectGradients(
    (proto, coefficients) => maskLoss(proto as tf.Tensor3D, coefficients as tf.Tensor2D, truth),
    reference,
    [
      { shape: [height, width, count], values: draw(height * width * count) },
      { shape: [objects, count], values: draw(objects * count) },
    ],
    { absolute: 1e-3, relative: 1e-3 },
  );
});

test('a sigmoid that is exactly 1 costs 100 where it is wrong, without a gradient', () => {
  const proto = tf.tensor3d([40, 0], [1, 2, 1]);
  const truth = { boxes: Float32Array.of(0, 0, 1, 1), targets: [Float32Array.of(0, 1)] };
  const one = tf.tensor2d([1], [1, 1]);
  expect(maskLoss(proto, one, truth).dataSync()[0]).toBeCloseTo((100 + Math.log(2)) / 2, 4);
  expect([
    ...tf
      .grad((p) => tf.sum(maskLoss(p as tf.Tensor3D, one, truth)))(proto)
      .dataSync(),
  ]).toEqual([0, -0.25]);
});

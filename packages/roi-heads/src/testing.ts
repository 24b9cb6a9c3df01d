import {
  type FeatureSpec,
  type ImageSize,
  type Losses,
  type Pyramid,
  Random,
  type Target,
  trainableParameters,
  valueAndGradients,
} from '@rcnn/core';
import { expectClose, expectNoLeak, parameterValues, type TestRunner } from '@rcnn/core/testing';
import { AffinePlacement } from '@rcnn/detector';
import { Mask } from '@rcnn/masks';
import * as tf from '@tensorflow/tfjs-core';
import type { RoIBranch } from './branch.ts';
import type { RoIs, SampledRoIs } from './rois.ts';

export interface BranchContractOptions {
  /** Channels and stride of the levels of the test pyramid. Default 4 channels, strides 4 and 8. */
  readonly inputs?: readonly FeatureSpec[] | undefined;
  /** Default 3, background included. */
  readonly numClasses?: number | undefined;
  /** False skips the gradient test, for engines that cannot train. Default true. */
  readonly gradients?: boolean | undefined;
}

/** What a branch is built for. */
export interface BranchSetting {
  readonly inputs: readonly FeatureSpec[];
  readonly numClasses: number;
}

/**
 * The contract of a {@link RoIBranch}, as tests: whatever passes can be one of the branches of `RoIHeads`.
 *
 * ```ts
 * import { describe, test } from 'vitest';
 * describeBranch('my branch', ({ inputs, numClasses }) => new MyBranch(inputs, numClasses), { describe, test });
 * ```
 *
 * @param make builds a fresh branch, which the tests dispose
 * @param runner default: the global `describe` and `test`, as Jest has them
 */
export function describeBranch(
  name: string,
  make: (setting: BranchSetting) => RoIBranch,
  runner: TestRunner = globalThis as unknown as TestRunner,
  { inputs = INPUTS, numClasses = 3, gradients = true }: BranchContractOptions = {},
): void {
  const { describe, test } = runner;
  const using = async (body: (branch: RoIBranch, features: Pyramid) => unknown): Promise<void> => {
    const branch = make({ inputs, numClasses });
    const features = testPyramid(inputs);
    try {
      await body(branch, features);
    } finally {
      branch.dispose();
      tf.dispose([...features]);
    }
  };
  const learn = async (branch: RoIBranch, features: Pyramid, sampled: readonly SampledRoIs[]): Promise<Losses> => {
    const targets = [testTarget(branch, numClasses), NOTHING];
    return branch.losses(features, sampled, targets, { phase: 'train', random: new Random(3) });
  };

  describe(`${name} keeps the contract of a branch`, () => {
    test('its losses are finite scalars, also without objects and without regions', () =>
      using(async (branch, features) => {
        const cases = { 'objects in one image': [SAMPLED, BACKGROUND], 'no objects': [BACKGROUND, BACKGROUND], 'no regions': [NONE, NONE] }; // biome-ignore format: one line
        const names = new Set<string>();
        for (const [what, sampled] of Object.entries(cases)) {
          const losses = await learn(branch, features, sampled);
          names.add(Object.keys(losses).join(', '));
          for (const [key, loss] of Object.entries(losses)) {
            assert(loss.size === 1, `${what}: ${key} has shape [${loss.shape.join(',')}]`);
            const [value] = await loss.data();
            assert(Number.isFinite(value), `${what}: ${key} is ${value}`);
          }
          tf.dispose({ ...losses });
        }
        assert(names.size === 1, `its losses have other names in other batches: ${[...names].join('; ')}`);
      }));

    test('it finds what it says; a branch that does not find boxes leaves the regions as they are', () =>
      using(async (branch, features) => {
        const regions = [REGIONS, NO_REGIONS];
        const [found, none] = (await branch.detect(features, regions, [SIZE, SIZE])) as [RoIs, RoIs];
        checkRegions(found, branch, numClasses);
        checkRegions(none, branch, numClasses);
        assert(none.labels.length === 0, `${none.labels.length} objects where there was no region`);
        const all = await branch.detect(features, [NO_REGIONS, NO_REGIONS], [SIZE, SIZE]);
        for (const rois of all) checkRegions(rois, branch, numClasses);
        if (branch.spec.finds?.includes('boxes')) return;
        same(found.boxes, REGIONS.boxes);
        same(found.scores, REGIONS.scores);
        same(found.labels, REGIONS.labels);
      }));

    test('the same regions give the same, and no parameter changes', () =>
      using(async (branch, features) => {
        const before = await parameterValues(branch.namedParameters());
        const [first] = await branch.detect(features, [REGIONS, NO_REGIONS], [SIZE, SIZE]);
        const [second] = await branch.detect(features, [REGIONS, NO_REGIONS], [SIZE, SIZE]);
        same(numbersOf(second!), numbersOf(first!));
        for (const [key, values] of await parameterValues(branch.namedParameters())) same(values, before.get(key)!);
      }));

    test('no tensor is kept, by detecting or by losses', () =>
      using(async (branch, features) => {
        await branch.detect(features, [REGIONS, NO_REGIONS], [SIZE, SIZE]);
        await expectNoLeak(() => branch.detect(features, [REGIONS, NO_REGIONS], [SIZE, SIZE]));
        await expectNoLeak(async () => tf.dispose({ ...(await learn(branch, features, [SAMPLED, BACKGROUND])) }));
        await expectNoLeak(async () => tf.dispose({ ...(await learn(branch, features, [NONE, NONE])) }));
      }));

    test('every parameter is reported, under a name of its own, and dispose frees all', async () => {
      const before = tf.memory().numTensors;
      const branch = make({ inputs, numClasses });
      const made = tf.memory().numTensors - before;
      const parameters = branch.namedParameters('heads.');
      for (const key of parameters.keys()) assert(key.startsWith('heads.'), `'${key}' lost its prefix`);
      const variables = new Set([...parameters.values()].map(({ variable }) => variable));
      assert(variables.size === parameters.size, 'a parameter has two names');
      assert(made <= parameters.size, `${made} tensors were made, but only ${parameters.size} parameters are reported`);
      branch.dispose();
      const left = tf.memory().numTensors - before;
      assert(left === 0, `${left} tensors are left after dispose`);
      await Promise.resolve();
    });

    test('the parameters whose shape depends on the classes are those that it calls predictors', async () => {
      const [branch, wider] = [make({ inputs, numClasses }), make({ inputs, numClasses: numClasses + 1 })];
      const shapes = new Map([...wider.namedParameters()].map(([key, { shape }]) => [key, shape.join()]));
      const wrong = [...branch.namedParameters()].filter(
        ([key, { shape }]) => shape.join() !== shapes.get(key) && branch.spec.isPredictor?.(key) !== true,
      );
      branch.dispose();
      wider.dispose();
      assert(wrong.length === 0, `isPredictor does not know ${wrong.map(([key]) => key).join(', ')}`);
      await Promise.resolve();
    });

    if (!gradients) return;
    test('gradients reach every trainable parameter', () =>
      using(async (branch, features) => {
        const parameters = trainableParameters(branch);
        const { loss, gradients: found } = await valueAndGradients(
          async () => ({ loss: tf.addN(Object.values(await learn(branch, features, [SAMPLED, BACKGROUND]))) }),
          parameters,
        );
        try {
          for (const key of parameters.keys()) {
            const gradient = found.get(key);
            assert(gradient !== undefined, `no gradient reaches '${key}'`);
            assert((await gradient.data()).every(Number.isFinite), `the gradient of '${key}' is not finite`);
          }
        } finally {
          tf.dispose([loss, ...found.values()]);
        }
      }));
  });
}

const SIZE: ImageSize = [32, 40];
const INPUTS: readonly FeatureSpec[] = [4, 8].map((stride) => ({ channels: 4, stride }));

const REGIONS: RoIs = {
  boxes: Float32Array.of(2, 2, 20, 20, 18, 4, 38, 30, 0, 0, 7, 9),
  scores: Float32Array.of(0.9, 0.8, 0.7),
  labels: Int32Array.of(1, 2, 1),
};
const NO_REGIONS: RoIs = { boxes: new Float32Array(), scores: new Float32Array(), labels: new Int32Array() };
const SAMPLED: SampledRoIs = {
  boxes: Float32Array.of(3, 1, 19, 22, 18, 4, 38, 30, 30, 0, 40, 8),
  labels: Int32Array.of(1, 2, 0),
  matchedIndices: Int32Array.of(0, 1, -1),
};
const BACKGROUND: SampledRoIs = {
  boxes: Float32Array.of(1, 1, 9, 9),
  labels: Int32Array.of(0),
  matchedIndices: Int32Array.of(-1),
};
const NONE: SampledRoIs = { boxes: new Float32Array(), labels: new Int32Array(), matchedIndices: new Int32Array() };
const NOTHING: Target = {
  boxes: new Float32Array(),
  labels: new Int32Array(),
  masks: [],
  keypoints: new Float32Array(),
};

/** Two objects with all that a branch may learn from. */
function testTarget({ spec: { numKeypoints = 0 } }: RoIBranch, numClasses: number): Target {
  const points = (x: number, y: number): number[] =>
    Array.from({ length: numKeypoints }, (_, i) => [x + i / numKeypoints, y + i / numKeypoints, 2]).flat();
  return {
    boxes: Float32Array.of(2, 2, 20, 20, 18, 4, 38, 30),
    labels: Int32Array.of(1, Math.min(2, numClasses - 1)),
    masks: [Mask.fromBox([2, 2, 18, 18], SIZE), Mask.fromBox([18, 4, 20, 26], SIZE)],
    keypoints: Float32Array.from([...points(10, 10), ...points(28, 17)]),
  };
}

/** Maps of two images with values in [-1, 1) from a fixed hash. */
function testPyramid(inputs: readonly FeatureSpec[]): Pyramid {
  return inputs.map(({ channels, stride }) => {
    const shape: [number, number, number, number] = [2, Math.ceil(SIZE[0] / stride), Math.ceil(SIZE[1] / stride), channels]; // biome-ignore format: one line
    const count = shape.reduce((a, b) => a * b);
    const values = Float32Array.from(
      { length: count },
      (_, i) => (Math.imul(i + stride, 0x9e3779b1) >>> 8) / 2 ** 23 - 1,
    );
    return tf.tensor4d(values, shape);
  });
}

function checkRegions(
  { boxes, scores, labels, masks, keypoints }: RoIs,
  { spec }: RoIBranch,
  numClasses: number,
): void {
  const count = labels.length;
  const { finds = [], numKeypoints = 0 } = spec;
  assert(boxes.length === count * 4, `${boxes.length} numbers of boxes for ${count} labels`);
  assert(scores.length === count, `${scores.length} scores for ${count} labels`);
  assert(boxes.every(Number.isFinite), 'a box is not finite');
  if (finds.includes('masks')) assert(masks?.length === count, `${masks?.length} masks for ${count} regions`);
  if (finds.includes('keypoints')) {
    const expected = count * numKeypoints * 3;
    assert(keypoints?.length === expected, `${keypoints?.length} numbers of key points, not ${expected}`);
  }
  if (!finds.includes('boxes')) return;
  assert(labels.every((label) => label >= 1 && label < numClasses), 'a label is not one of the classes'); // biome-ignore format: one line
  assert(scores.every((score, i) => score <= (scores[i - 1] ?? 1)), 'the scores do not fall'); // biome-ignore format: one line
}

/** What a branch found, as numbers; a mask is what it is in the image of this size. */
function numbersOf({ boxes, scores, labels, masks = [], keypoints = new Float32Array() }: RoIs): number[] {
  const placement = new AffinePlacement({ originalSize: SIZE, resizedSize: SIZE });
  const pixels = masks.flatMap((mask, i) => {
    const [x1, y1, x2, y2] = boxes.subarray(4 * i, 4 * i + 4) as unknown as [number, number, number, number];
    return [...mask.toImage(placement, [x1, y1, x2, y2]).soft()];
  });
  return [...boxes, ...scores, ...labels, ...keypoints, ...pixels];
}

function same(actual: ArrayLike<number>, expected: ArrayLike<number>): void {
  expectClose(actual, expected, { absolute: 0, relative: 0 });
}

function assert(condition: boolean, problem: string): asserts condition {
  if (!condition) throw new Error(`The contract of a branch is broken: ${problem}.`);
}

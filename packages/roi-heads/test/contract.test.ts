import '@tensorflow/tfjs-backend-cpu';
import { BatchNorm, type Losses, Module, Parameter, type Pyramid, Random } from '@rcnn/core';
import { MultiScaleRoIAlign } from '@rcnn/roi-align';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, test } from 'vitest';
import {
  BoxBranch,
  type BranchSpec,
  ConvFCHead,
  countRoIs,
  FastRCNNPredictor,
  KeypointBranch,
  KeypointRCNNHeads,
  KeypointRCNNPredictor,
  type KeypointScore,
  MaskBranch,
  MaskRCNNHeads,
  MaskRCNNPredictor,
  type RoIBranch,
  type RoIs,
  type SampledRoIs,
  TwoFCHead,
} from '../src/index.ts';
import { type BranchSetting, describeBranch } from '../src/testing.ts';

const runner = { describe, test };

function boxBranch({ inputs, numClasses }: BranchSetting, classAgnostic = false): BoxBranch {
  const random = new Random(11);
  const pool = new MultiScaleRoIAlign({ outputSize: 3, strides: inputs.map(({ stride }) => stride) });
  const head = new TwoFCHead({ inChannels: inputs[0]!.channels, poolSize: 3, outFeatures: 8, random });
  const predictor = new FastRCNNPredictor(8, numClasses, { classAgnostic, random });
  return new BoxBranch({ pool, head, predictor }, { boxScoreThresh: 0 });
}

describeBranch('the box branch', (setting) => boxBranch(setting), runner);
describeBranch('one box for all classes', (setting) => boxBranch(setting, true), runner);
describeBranch(
  'the box branch of version 2',
  ({ inputs, numClasses }) => {
    const random = new Random(11);
    const pool = new MultiScaleRoIAlign({ outputSize: 3, strides: inputs.map(({ stride }) => stride) });
    const norm = (width: number): BatchNorm => new BatchNorm(width);
    const sizes = { inChannels: inputs[0]!.channels, poolSize: 3, outFeatures: 8, channels: [4, 4] };
    const predictor = new FastRCNNPredictor(8, numClasses, { random });
    return new BoxBranch({ pool, head: new ConvFCHead({ ...sizes, norm, random }), predictor });
  },
  runner,
);
describeBranch(
  'the mask branch',
  ({ inputs, numClasses }) => {
    const random = new Random(11);
    const pool = new MultiScaleRoIAlign({ outputSize: 4, strides: inputs.map(({ stride }) => stride) });
    const head = new MaskRCNNHeads({ inChannels: inputs[0]!.channels, channels: [5, 6], random });
    return new MaskBranch({ pool, head, predictor: new MaskRCNNPredictor(6, numClasses, { channels: 5, random }) });
  },
  runner,
);

describeBranch('the key point branch', keypointBranch, runner);
describeBranch('the key point branch with scores of peaks', (setting) => keypointBranch(setting, 'peak'), runner);

function keypointBranch({ inputs }: BranchSetting, keypointScore?: KeypointScore): KeypointBranch {
  const random = new Random(11);
  const pool = new MultiScaleRoIAlign({ outputSize: 4, strides: inputs.map(({ stride }) => stride) });
  const head = new KeypointRCNNHeads({ inChannels: inputs[0]!.channels, channels: [5, 6], random });
  return new KeypointBranch({ pool, head, predictor: new KeypointRCNNPredictor(6, 3, { random }) }, { keypointScore });
}

/** Two key points of each region: its center, moved by what has been learnt. Awaits while it learns. */
class ToyKeypointBranch extends Module implements RoIBranch {
  readonly spec: BranchSpec = { learnsFrom: ['keypoints'], finds: ['keypoints'], numKeypoints: 2 };
  readonly #shift = this.register('shift', new Parameter(tf.zeros([2])));

  async losses(_features: Pyramid, sampled: readonly SampledRoIs[]): Promise<Losses> {
    await Promise.resolve();
    const count = countRoIs(sampled);
    return { loss_keypoint: tf.tidy(() => tf.mul(tf.sum(tf.square(this.#shift.value)), count) as tf.Scalar) };
  }

  async detect(_features: Pyramid, rois: readonly RoIs[]): Promise<RoIs[]> {
    const [dx, dy] = (await this.#shift.value.data()) as Float32Array;
    return rois.map((ofImage) => {
      const centers = Array.from(ofImage.labels, (_, i) => {
        const [x1, y1, x2, y2] = ofImage.boxes.subarray(4 * i, 4 * i + 4) as unknown as [number, number, number, number]; // biome-ignore format: one line
        return [(x1 + x2) / 2 + dx!, (y1 + y2) / 2 + dy!, 1];
      });
      return { ...ofImage, keypoints: Float32Array.from(centers.flatMap((center) => [...center, ...center])) };
    });
  }
}

describeBranch('a toy that finds key points', () => new ToyKeypointBranch(), runner);

describe('the contract sees what is wrong', () => {
  async function failures(make: (setting: BranchSetting) => RoIBranch): Promise<string[]> {
    const failed: string[] = [];
    const runs: [string, () => Promise<void>][] = [];
    describeBranch('it', make, { describe: (_, body) => body(), test: (name, body) => runs.push([name, body]) });
    for (const [name, body] of runs) await body().catch(() => failed.push(name));
    return failed;
  }

  test('nothing in a toy that is right', async () => {
    expect(await failures(() => new ToyKeypointBranch())).toEqual([]);
  });

  test('a key point too few, and regions changed in passing', async () => {
    const make = (): RoIBranch => {
      const toy = new ToyKeypointBranch();
      return Object.assign(toy, {
        detect: async (_: Pyramid, rois: readonly RoIs[]) => rois.map((one) => ({ ...one, keypoints: new Float32Array() })), // biome-ignore format: one line
      });
    };
    expect(await failures(make)).toEqual([
      'it finds what it says; a branch that does not find boxes leaves the regions as they are',
    ]);
  });

  test('a predictor that is not told, and a loss that comes and goes', async () => {
    const make = (setting: BranchSetting): RoIBranch => {
      const branch = boxBranch(setting);
      const { losses } = branch;
      return Object.assign(branch, {
        spec: { ...branch.spec, isPredictor: () => false },
        losses: async (...call: Parameters<typeof losses>) => {
          const { loss_box_reg: box, ...rest } = await losses.apply(branch, call);
          if (box!.dataSync()[0] !== 0) return { ...rest, loss_box_reg: box! };
          box!.dispose();
          return rest;
        },
      });
    };
    expect(await failures(make)).toEqual([
      'its losses are finite scalars, also without objects and without regions',
      'the parameters whose shape depends on the classes are those that it calls predictors',
    ]);
  });
});

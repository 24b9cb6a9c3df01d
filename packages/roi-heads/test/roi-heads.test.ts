import '@tensorflow/tfjs-backend-cpu';
import { BatchNorm, type Pyramid, Random, type Target, trainableParameters, valueAndGradients } from '@rcnn/core';
import { expectClose, expectNoLeak } from '@rcnn/core/testing';
import type { BoxMask } from '@rcnn/detector';
import { Mask } from '@rcnn/masks';
import { MultiScaleRoIAlign } from '@rcnn/roi-align';
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  BoxBranch,
  type BoxBranchOptions,
  ConvFCHead,
  FastRCNNPredictor,
  MaskBranch,
  MaskRCNNHeads,
  MaskRCNNPredictor,
  RoIHeads,
  type RoIs,
  TwoFCHead,
} from '../src/index.ts';

const channels = 4;
const numClasses = 3;
const size = [32, 40] as const;
let random: Random;
let features: Pyramid;

beforeEach(() => {
  random = new Random(11);
  features = [4, 8].map((stride) => {
    const shape: [number, number, number, number] = [2, size[0] / stride, size[1] / stride, channels];
    const values = Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => random.uniform(-1, 1));
    return tf.tensor4d(values, shape);
  });
});
afterEach(() => tf.dispose([...features]));

const pool = (outputSize: number): MultiScaleRoIAlign => new MultiScaleRoIAlign({ outputSize, strides: [4, 8] });

function boxBranch(options: BoxBranchOptions = {}): BoxBranch {
  const head = new TwoFCHead({ inChannels: channels, poolSize: 3, outFeatures: 8, random });
  const predictor = new FastRCNNPredictor(8, numClasses, { random });
  return new BoxBranch({ pool: pool(3), head, predictor }, options);
}

function maskBranch(): MaskBranch {
  const head = new MaskRCNNHeads({ inChannels: channels, channels: [5, 6], random });
  const predictor = new MaskRCNNPredictor(6, numClasses, { channels: 5, random });
  return new MaskBranch({ pool: pool(4), head, predictor });
}

const training = { phase: 'train', random: new Random(0) } as const;
const boxes = (...rows: number[][]): Float32Array => Float32Array.from(rows.flat());
const target = (): Target => ({
  boxes: boxes([2, 2, 20, 20], [18, 4, 38, 30]),
  labels: Int32Array.of(1, 2),
  masks: [Mask.fromBox([2, 2, 18, 18], size), Mask.fromBox([18, 4, 20, 26], size)],
});
const nothing = (): Target => ({ boxes: boxes(), labels: new Int32Array(), masks: [] });

describe('the box branch', () => {
  test('classifies and moves boxes as worked out by hand', async () => {
    const branch = boxBranch();
    for (const [name, parameter] of branch.namedParameters()) {
      parameter.assign(tf.zeros([...parameter.shape]));
      // Class 2 gets probability e^3 / (1 + 1 + e^3) and moves its box by a tenth of its width (weight 10).
      if (name.endsWith('cls_score.bias')) parameter.assign(tf.tensor1d([0, 0, 3]));
      if (name.endsWith('bbox_pred.bias')) parameter.assign(tf.tensor1d([0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0]));
    }
    const proposals = (...rows: number[][]): RoIs => ({ boxes: boxes(...rows), scores: new Float32Array(rows.length), labels: new Int32Array(rows.length) }); // biome-ignore format: one object
    const found = await branch.detect(features, [proposals([0, 0, 20, 10]), proposals([30, 0, 40, 10])], [size, size]);
    const p = Math.exp(3) / (2 + Math.exp(3));
    const rest = 1 / (2 + Math.exp(3)); // 0.0454: below 0.05
    expect(rest).toBeLessThan(0.05);
    expect(found.map(({ labels }) => [...labels])).toEqual([[2], [2]]);
    expectClose(found[0]!.scores, [p]);
    expectClose(found[0]!.boxes, [2, 0, 22, 10]);
    expectClose(found[1]!.boxes, [31, 0, 40, 10]); // clipped to the image of width 40
  });

  test('suppresses per class, keeps the best, and never more than the limit', async () => {
    const branch = boxBranch({ boxScoreThresh: 0, boxDetectionsPerImg: 3 });
    for (const parameter of branch.namedParameters().values()) parameter.assign(tf.zeros([...parameter.shape]));
    const rois = { boxes: boxes([0, 0, 10, 10], [0, 0, 10, 9], [20, 0, 30, 10]), scores: new Float32Array(3), labels: new Int32Array(3) }; // biome-ignore format: one object
    const none = { boxes: boxes(), scores: new Float32Array(), labels: new Int32Array() };
    const [found, empty] = await branch.detect(features, [rois, none], [size, size]);
    // Two classes of equal score; the second box goes in both (IoU 0.9). Three of four are kept, in input order.
    expect([...found!.labels]).toEqual([1, 2, 1]);
    expectClose(found!.boxes, [0, 0, 10, 10, 0, 0, 10, 10, 20, 0, 30, 10]);
    expect(empty!.scores.length).toBe(0);
  });

  test('losses as worked out by hand', () => {
    const branch = boxBranch();
    for (const [name, parameter] of branch.namedParameters()) {
      parameter.assign(tf.zeros([...parameter.shape]));
      if (name.endsWith('bbox_pred.bias')) parameter.assign(tf.tensor1d([9, 9, 9, 9, 2, 0, 0, 0, 9, 9, 9, 9]));
    }
    // One positive of class 1 that is already right: only dx is off, by 2. One of two regions is positive.
    const sampled = [
      {
        boxes: boxes([2, 2, 20, 20], [30, 0, 40, 8]),
        labels: Int32Array.of(1, 0),
        matchedIndices: Int32Array.of(0, -1),
      },
      { boxes: boxes(), labels: new Int32Array(), matchedIndices: new Int32Array() },
    ];
    const losses = branch.losses(features, sampled, [target(), nothing()], training);
    expectClose(losses['loss_classifier']!, Math.log(3));
    expectClose(losses['loss_box_reg']!, (2 - 1 / 18) / 2); // smooth L1 of 2, beta 1/9, over 2 regions
  });

  test('nothing sampled: zero, not NaN', () => {
    const none = { boxes: boxes(), labels: new Int32Array(), matchedIndices: new Int32Array() };
    const losses = boxBranch().losses(features, [none, none], [nothing(), nothing()], training);
    expect(Object.values(losses).map((loss) => loss.dataSync()[0])).toEqual([0, 0]);
  });
});

describe('the mask branch', () => {
  test('one class per region gives what all classes would', () => {
    const predictor = new MaskRCNNPredictor(6, numClasses, { channels: 5, random });
    const x = tf.tensor4d(
      Float32Array.from({ length: 2 * 3 * 3 * 6 }, () => random.uniform(-1, 1)),
      [2, 3, 3, 6],
    );
    const labels = Int32Array.of(2, 1);
    const parameters = predictor.namedParameters();
    const value = (name: string): tf.Tensor => parameters.get(name)!.value;
    const all = tf.tidy(() => {
      const up = tf.conv2dTranspose(x, value('conv5_mask.weight') as tf.Tensor4D, [2, 6, 6, 5], 2, 'valid');
      const maps = tf.relu(tf.add(up, value('conv5_mask.bias')));
      return tf.add(tf.conv2d(maps as tf.Tensor4D, value('mask_fcn_logits.weight') as tf.Tensor4D, 1, 'valid'), value('mask_fcn_logits.bias')); // biome-ignore format: one expression
    });
    const ours = predictor.forward(x, labels);
    for (const [r, label] of labels.entries()) {
      const expected = tf.reshape(tf.slice(all, [r, 0, 0, label], [1, 6, 6, 1]), [6, 6]);
      expectClose(tf.reshape(tf.slice(ours, [r, 0, 0], [1, 6, 6]), [6, 6]), expected);
    }
  });

  test('the loss of logits at 0 is ln 2, without positives 0', () => {
    const branch = maskBranch();
    for (const parameter of branch.namedParameters().values()) parameter.assign(tf.zeros([...parameter.shape]));
    const one = { boxes: boxes([2, 2, 20, 20]), labels: Int32Array.of(1), matchedIndices: Int32Array.of(0) };
    const background = { boxes: boxes([2, 2, 20, 20]), labels: Int32Array.of(0), matchedIndices: Int32Array.of(-1) };
    const loss = (...sampled: (typeof one)[]): tf.Tensor =>
      branch.losses(features, sampled, [target(), nothing()], training)['loss_mask']!;
    expectClose(loss(one, background), Math.log(2));
    expectClose(loss(background, background), 0);
  });

  test('detections get a mask each; none get none', async () => {
    const rois = { boxes: boxes([2, 2, 20, 20], [5, 5, 30, 30]), scores: Float32Array.of(0.9, 0.8), labels: Int32Array.of(2, 1) }; // biome-ignore format: one object
    const none = { boxes: boxes(), scores: new Float32Array(), labels: new Int32Array() };
    const [found, empty] = await maskBranch().detect(features, [rois, none]);
    const cells = found!.masks!.map((mask) => (mask as BoxMask).cells);
    expect(cells.map(({ length }) => length)).toEqual([64, 64]);
    expect(cells.flatMap((mask) => [...mask]).every((p) => p > 0 && p < 1)).toBe(true);
    expect(empty!.masks).toEqual([]);
    expect((await maskBranch().detect(features, [none, none])).map(({ masks }) => masks)).toEqual([[], []]);
  });

  test('missing masks are named', () => {
    const sampled = [{ boxes: boxes([2, 2, 20, 20]), labels: Int32Array.of(1), matchedIndices: Int32Array.of(0) }];
    const { boxes: gtBoxes, labels } = target();
    const one = features.map((map) => tf.slice(map, 0, 1)) as unknown as Pyramid;
    expect(() => maskBranch().losses(one, sampled, [{ boxes: gtBoxes, labels }], training)).toThrow('targets[0].masks');
  });
});

describe('all branches', () => {
  const heads = (): RoIHeads => new RoIHeads({ box: boxBranch(), mask: maskBranch() }, { boxBatchSizePerImage: 8 });
  const proposals = [boxes([1, 1, 18, 22], [30, 0, 40, 3]), boxes([0, 0, 9, 9])];

  test('parameters are named as in torchvision', () => {
    const norm = (width: number): BatchNorm => new BatchNorm(width);
    const v2 = new ConvFCHead({ inChannels: 2, outFeatures: 3, channels: [2, 2, 2, 2], norm, random });
    const names = [...v2.namedParameters('roi_heads.box_head.').keys()].filter((name) => name.endsWith('.weight'));
    expect(names).toEqual([
      ...[0, 1, 2, 3].flatMap((i) => [`roi_heads.box_head.${i}.0.weight`, `roi_heads.box_head.${i}.1.weight`]),
      'roi_heads.box_head.5.weight',
    ]);
    expect([...heads().namedParameters('roi_heads.').keys()].filter((name) => name.endsWith('.weight'))).toEqual([
      'roi_heads.box_head.fc6.weight',
      'roi_heads.box_head.fc7.weight',
      'roi_heads.box_predictor.cls_score.weight',
      'roi_heads.box_predictor.bbox_pred.weight',
      'roi_heads.mask_head.0.0.weight',
      'roi_heads.mask_head.1.0.weight',
      'roi_heads.mask_predictor.conv5_mask.weight',
      'roi_heads.mask_predictor.mask_fcn_logits.weight',
    ]);
  });

  test('gradients reach every parameter', async () => {
    const owner = heads();
    const parameters = trainableParameters(owner);
    const { gradients, loss } = await valueAndGradients(
      async () => ({ loss: tf.addN(Object.values(await owner.losses(features, proposals, [target(), nothing()]))) }),
      parameters,
    );
    expect([...gradients.keys()].sort()).toEqual([...parameters.keys()].sort());
    tf.dispose([loss, ...gradients.values()]);
  });

  test('losses and detections keep nothing', async () => {
    const owner = heads();
    await expectNoLeak(async () => tf.dispose({ ...(await owner.losses(features, proposals, [target(), nothing()])) }));
    const rois = proposals.map((rows) => ({ boxes: rows, scores: new Float32Array(rows.length / 4), labels: new Int32Array(rows.length / 4) })); // biome-ignore format: one object
    await expectNoLeak(() => owner.detect(features, rois, [size, size]));
  });

  test('none at all is refused', () => expect(() => new RoIHeads({})).toThrow('there is no branch'));
});

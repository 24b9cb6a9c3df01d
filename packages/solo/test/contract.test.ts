import { constant, Random, useEngine } from '@rcnn/core';
import { describeDetector } from '@rcnn/detector/testing';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import {
  decoupledSoloResnetFpn,
  type SOLO,
  type SOLORecipeOptions,
  soloResnetFpn,
  soloV2ResnetFpn,
  soloV2Small,
} from '../src/index.ts';

beforeAll(() => useEngine('onnxruntime'));

/** Narrow, so that the contract is done in seconds; a few objects pass with its first weights. */
const tiny = (): SOLORecipeOptions => ({
  numClasses: 3,
  body: 'resnet18',
  blocks: [1, 1, 1, 1],
  planes: [8, 8, 16, 16],
  stemChannels: 8,
  fpnChannels: 16,
  headChannels: 32,
  headDepth: 1,
  maskChannels: 32,
  kernelLength: 32,
  grids: [6, 5, 4, 3, 2],
  scaleRanges: [[1, 24], [12, 48], [24, 96], [48, 192], [96, 512]], // biome-ignore format: one line
  norm: 'batch',
  trainableStages: 5,
  minSize: 64,
  maxSize: 96,
  scoreThreshold: 0,
  pixelThreshold: 0, // nothing of a mask is sure yet
  detectionsPerImage: 3,
  random: new Random(3),
});

/** Masks begin near 0, where no pixel is above a half: these begin above it, so that there is something to find. */
function withMasks(model: SOLO): SOLO {
  for (const [name, parameter] of model.namedParameters()) {
    if (/conv_mask_list.*bias$/.test(name)) tf.tidy(() => parameter.assign(tf.fill([...parameter.shape], 2)));
  }
  return model;
}

const runner = { describe, test };
describeDetector('SOLOv2', () => soloV2Small(tiny()), runner);
describeDetector('decoupled SOLO', () => withMasks(decoupledSoloResnetFpn(tiny())), runner);
describeDetector('SOLO', () => withMasks(soloResnetFpn(tiny())), runner);

test('the head of SOLOv2 takes first weights and groups from the recipe; its last layers begin as published', () => {
  const model = soloV2ResnetFpn({ ...tiny(), headInitialiser: constant(0.5) });
  const convolutions = [...model.namedParameters()].filter(([name]) => /^mask_head.*conv\w*\.weight$/.test(name));
  for (const [name, { value }] of convolutions) {
    const largest = Math.max(...value.dataSync().map(Math.abs));
    if (/conv_cls|conv_kernel/.test(name)) expect(largest).toBeLessThan(0.06);
    else expect([name, largest]).toEqual([name, 0.5]);
  }
  expect(convolutions).toHaveLength(2 + 2 + 7 + 1);
  model.dispose();
  expect(() => soloV2ResnetFpn({ ...tiny(), headGroups: 5 })).toThrow('32 channels, 5 groups');
});

test('the head of the small one begins with weights of its own width', () => {
  const model = soloV2Small({ numClasses: 5, random: new Random(1) });
  for (const tower of ['cls_convs.1', 'kernel_convs.1', 'mask_feature_head.convs_all_levels.2.conv1']) {
    const values = model.namedParameters().get(`mask_head.${tower}.conv.weight`)!.value.dataSync<'float32'>();
    const deviation = Math.sqrt(values.reduce((sum, w) => sum + w * w, 0) / values.length);
    expect(deviation / Math.sqrt(2 / (9 * 64))).toBeCloseTo(1, 1);
  }
  model.dispose();
});

import { Random, useEngine } from '@rcnn/core';
import { describeDetector } from '@rcnn/detector/testing';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, test } from 'vitest';
import { decoupledSoloResnetFpn, type SOLO, type SOLORecipeOptions, soloResnetFpn, soloV2Small } from '../src/index.ts';

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

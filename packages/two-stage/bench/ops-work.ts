// The work of the benchmark of single operations, in a process of its own:
//   node --expose-gc --import tsx ops-work.ts RUNS
// Prints one line of JSON, as tools/reference/time_ops.py does for torchvision.
import '@rcnn/tfjs-backend-onnxruntime';
import { BoxCoder, nms } from '@rcnn/boxes';
import { drawn } from '@rcnn/core/testing';
import { pasteMask } from '@rcnn/masks';
import { MultiScaleRoIAlign } from '@rcnn/roi-align';
import { pyramidAnchors, selectProposals } from '@rcnn/rpn-anchors';
import * as tf from '@tensorflow/tfjs-core';

export interface OpResult {
  /** Milliseconds, without the first two runs. */
  readonly times: number[];
  /** A sum over the result, so that both sides are seen to do the same work. */
  readonly check: number;
}

const IMAGE = [800, 1216] as const;
const CHANNELS = 256;
const STRIDES = [4, 8, 16, 32];
const GRIDS = [...STRIDES.map((stride) => [IMAGE[0] / stride, IMAGE[1] / stride] as const), [13, 19] as const];

/** Boxes inside the image, their sides spread evenly over the octaves from 16 to 600 pixels. */
function boxesOf(name: string, count: number): Float32Array {
  const u = drawn(name, count * 4).map((value) => (value + 1) / 2);
  const boxes = new Float32Array(count * 4);
  for (let p = 0; p < boxes.length; p += 4) {
    for (const c of [0, 1]) {
      const side = 16 * (600 / 16) ** u[p + c]!;
      boxes[p + c] = u[p + c + 2]! * (IMAGE[1 - c]! - side);
      boxes[p + c + 2] = boxes[p + c]! + side;
    }
  }
  return boxes;
}

function time(runs: number, body: () => number): OpResult {
  const times: number[] = [];
  let check = 0;
  for (let i = 0; i < runs + 2; i++) {
    const start = performance.now();
    check = body();
    times.push(performance.now() - start);
  }
  return { times: times.slice(2), check };
}

/** One element of each tensor, so that the check costs nothing. */
function first(...tensors: tf.Tensor[]): number {
  return tensors.reduce(
    (sum, tensor) => sum + tf.tidy(() => tf.slice(tf.reshape(tensor, [-1]), 12_345, 1).dataSync()[0]!),
    0,
  );
}

function roiAlign(runs: number, count: number, outputSize: number): Record<string, OpResult> {
  const features = GRIDS.slice(0, 4).map(([h, w], i) =>
    tf.tensor4d(drawn(`P${i + 2}`, h * w * CHANNELS), [1, h, w, CHANNELS]),
  );
  const align = new MultiScaleRoIAlign({ outputSize, strides: STRIDES });
  const boxes = [boxesOf('rois', count)];
  const shape: [number, number, number, number] = [count, outputSize, outputSize, CHANNELS];
  const dy = tf.tensor4d(drawn('dy', count * outputSize ** 2 * CHANNELS), shape);
  const forward = time(runs, () => {
    const pooled = align.forward(features, boxes);
    const check = first(pooled);
    pooled.dispose();
    return check;
  });
  const both = time(runs, () => {
    const gradients = tf.grads((...maps) => align.forward(maps as tf.Tensor4D[], boxes))(features, dy);
    const check = first(...gradients);
    tf.dispose(gradients);
    return check;
  });
  tf.dispose([...features, dy]);
  const name = `RoIAlign ${count} x ${outputSize} x ${outputSize}`;
  return { [`${name}, forward`]: forward, [`${name}, forward and backward`]: both };
}

function suppression(runs: number): Record<string, OpResult> {
  const boxes = boxesOf('nms', 4700);
  const scores = drawn('scores', 4700);
  const groups = Int32Array.from({ length: 4700 }, (_, i) => Math.floor(i / 940));
  return {
    'NMS of 4700 boxes': time(runs, () => nms(boxes, scores, 0.7).length),
    'NMS of 5 levels of 940 boxes, best 1000': time(
      runs,
      () => nms(boxes, scores, 0.7, { groups, limit: 1000 }).length,
    ),
  };
}

function proposals(runs: number): Record<string, OpResult> {
  const anchors = pyramidAnchors(5).forward(GRIDS, IMAGE);
  const levels = anchors.map((ofLevel, i) => ({
    anchors: ofLevel,
    logits: drawn(`logits${i}`, ofLevel.length / 4),
    deltas: drawn(`deltas${i}`, ofLevel.length).map((value) => value * 0.5),
  }));
  const rules = { preNmsTopN: 1000, postNmsTopN: 1000, nmsThreshold: 0.7, scoreThreshold: 0, minSize: 1e-3 };
  const coder = new BoxCoder();
  return {
    'Proposals of 242,991 anchors (decode, top-k, NMS)': time(runs, () =>
      selectProposals(levels, coder, IMAGE, rules).boxes.reduce((sum, value) => sum + value, 0),
    ),
  };
}

function paste(runs: number): Record<string, OpResult> {
  const boxes = boxesOf('paste', 100).map((value, i) => value * (i % 2 === 0 ? 640 / IMAGE[1] : 480 / IMAGE[0]));
  // A disc with a wavy border: one object, as masks are.
  const masks = Array.from({ length: 100 }, (_, k) =>
    Float32Array.from({ length: 784 }, (_, i) => {
      const [y, x] = [Math.floor(i / 28) - 13.5, (i % 28) - 13.5];
      const border = 10 + 2 * Math.sin(3 * Math.atan2(y, x) + k);
      return 1 / (1 + Math.exp(Math.hypot(y, x) - border));
    }),
  );
  return {
    'Paste 100 masks at 480 x 640, to RLE': time(runs, () => {
      let characters = 0;
      masks.forEach((mask, k) => {
        characters += pasteMask(mask, boxes.subarray(k * 4, k * 4 + 4), [480, 640]).rle().counts.length;
      });
      return characters;
    }),
  };
}

await tf.setBackend('onnxruntime');
const runs = Number(process.argv[2]);
console.log(
  JSON.stringify({
    ...roiAlign(runs, 1000, 7),
    ...roiAlign(runs, 100, 14),
    ...suppression(runs),
    ...proposals(runs),
    ...paste(runs),
  }),
);

import '@tensorflow/tfjs-backend-cpu';
import {
  convertForeign,
  loadStateDict,
  memoryEntry,
  memorySource,
  stateDict,
  type TensorEntry,
} from '@rcnn/checkpoint';
import { type Detection, type ImageSize, Linear, Module } from '@rcnn/core';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, expect, test } from 'vitest';
import {
  type BoxPredictions,
  type BoxPredictor,
  detectorFromCheckpoint,
  type FasterRCNN,
  type MaskPredictor,
  MaskRCNNPredictor,
  MultiScaleRoIAlign,
  maskRcnnResnetFpn,
  Random,
  type RecipeOptions,
} from '../src/index.ts';

// The reference is the same network put together as detectron2 and mmdetection have it: pixels of 0 to 255, their own
// order of channels, anchors by their formula, classes from 0 with the background last, no box and no mask of the
// background. It gets the file's numbers under its own names; ours gets the converted file.

beforeAll(() => void tf.setBackend('cpu'));

const OBJECTS = 3;
const narrow: RecipeOptions = { planes: [8, 8, 16, 16], stemChannels: 8, fpnChannels: 8, boxFeatures: 16 };
const limits: RecipeOptions = { minSize: 64, maxSize: 96, rpnPostNmsTopNTest: 60, boxDetectionsPerImg: 20 };

/** `cls_score` has the background last, `bbox_pred` has no background. */
class BackgroundLast extends Module implements BoxPredictor {
  readonly numClasses = OBJECTS + 1;
  readonly #logits: Linear;
  readonly #deltas: Linear;

  constructor(inFeatures: number, random: Random) {
    super();
    this.#logits = this.register('cls_score', new Linear(inFeatures, OBJECTS + 1, { random }));
    this.#deltas = this.register('bbox_pred', new Linear(inFeatures, OBJECTS * 4, { random }));
  }

  forward(x: tf.Tensor2D): BoxPredictions {
    const raw = this.#logits.forward(x);
    const deltas = this.#deltas.forward(x);
    const rows = raw.shape[0];
    const [objects, background] = tf.split(raw, [OBJECTS, 1], 1) as [tf.Tensor2D, tf.Tensor2D];
    return {
      logits: tf.concat([background, objects], 1),
      deltas: tf.concat([tf.zeros([rows, 4]), deltas], 1) as tf.Tensor2D,
    };
  }
}

class MasksOfObjects extends Module implements MaskPredictor {
  readonly numClasses = OBJECTS + 1;
  readonly #inner: MaskRCNNPredictor;

  constructor(channels: number, random: Random) {
    super();
    this.#inner = new MaskRCNNPredictor(channels, OBJECTS, { channels, random });
    for (const [name, parameter] of this.#inner.namedParameters()) this.register(name, parameter);
  }

  forward(x: tf.Tensor4D, labels: Int32Array): tf.Tensor3D {
    return this.#inner.forward(
      x,
      labels.map((label) => label - 1),
    );
  }
}

/** detectron2's DefaultAnchorGenerator with sizes 32 to 512: area kept, ratio is height / width. */
const anchors = {
  anchorsPerCell: [3, 3, 3, 3, 3],
  forward: (grids: readonly ImageSize[]) =>
    grids.map(([rows, columns], level) => {
      const size = 32 * 2 ** level;
      const stride = 4 * 2 ** level;
      const boxes: number[] = [];
      for (let y = 0; y < rows; y++)
        for (let x = 0; x < columns; x++)
          for (const ratio of [0.5, 1, 2]) {
            const w = Math.sqrt(size ** 2 / ratio);
            const h = ratio * w;
            boxes.push(x * stride - w / 2, y * stride - h / 2, x * stride + w / 2, y * stride + h / 2);
          }
      return Float32Array.from(boxes);
    }),
};

function reference(strideIn: '1x1' | '3x3', mean: number[], std: number[]): FasterRCNN {
  const random = new Random(11);
  const pool = (outputSize: number) =>
    new MultiScaleRoIAlign({ outputSize, strides: [4, 8, 16, 32], samplingRatio: 0, aligned: true });
  return maskRcnnResnetFpn({
    ...narrow,
    ...limits,
    body: 'resnet50',
    random,
    strideIn,
    numClasses: OBJECTS + 1,
    mean: mean as [number, number, number],
    std: std as [number, number, number],
    maskPaste: 'detectron2',
    rpnAnchorGenerator: anchors,
    boxRoiPool: pool(7),
    maskRoiPool: pool(14),
    boxPredictor: new BackgroundLast(16, random),
    maskPredictor: new MasksOfObjects(8, random),
  });
}

/** Lively numbers: small first weights would find nothing. */
function hashed(name: string, shape: readonly number[], stemVariance: number): TensorEntry {
  const random = new Random(5).fork(name);
  const count = shape.reduce((a, b) => a * b, 1);
  const fan = Math.max(
    1,
    shape.slice(1).reduce((a, b) => a * b, 1),
  );
  const isNorm = /(bn\d|downsample\.1)\.(weight|running_var)$/.test(name);
  const gain = name.includes('cls_score') ? 0.7 : name.includes('bbox_pred') ? 0.3 : 1.4;
  // Pixels of 0 to 255 with a spread of 1 come out large; the last norm of a block keeps its sum from growing.
  const size =
    name === 'backbone.body.bn1.running_var' ? stemVariance : /(bn3|downsample\.1)\.weight/.test(name) ? 0.4 : 1;
  const values = Float32Array.from({ length: count }, () => {
    if (isNorm) return (0.6 + random.uniform() * 0.8) * size;
    return shape.length > 1 ? (random.normal() * gain) / Math.sqrt(fan) : random.normal() * 0.1;
  });
  return memoryEntry(name, 'float32', shape, values);
}

const d2 = (name: string): string =>
  name
    .replace(/^backbone\.body\.conv1/, 'backbone.bottom_up.stem.conv1')
    .replace(/^backbone\.body\.bn1/, 'backbone.bottom_up.stem.conv1.norm')
    .replace(/^backbone\.body\.layer(\d)/, (_, l: string) => `backbone.bottom_up.res${Number(l) + 1}`)
    .replace(/\.bn(\d)\./, '.conv$1.norm.')
    .replace('.downsample.0.', '.shortcut.')
    .replace('.downsample.1.', '.shortcut.norm.')
    .replace(/^backbone\.fpn\.inner_blocks\.(\d)\.0/, (_, i: string) => `backbone.fpn_lateral${Number(i) + 2}`)
    .replace(/^backbone\.fpn\.layer_blocks\.(\d)\.0/, (_, i: string) => `backbone.fpn_output${Number(i) + 2}`)
    .replace('rpn.head.conv.0.0', 'proposal_generator.rpn_head.conv')
    .replace('rpn.head.cls_logits', 'proposal_generator.rpn_head.objectness_logits')
    .replace('rpn.head.bbox_pred', 'proposal_generator.rpn_head.anchor_deltas')
    .replace('box_head.fc6', 'box_head.fc1')
    .replace('box_head.fc7', 'box_head.fc2')
    .replace(/mask_head\.(\d)\.0/, (_, i: string) => `mask_head.mask_fcn${Number(i) + 1}`)
    .replace('mask_predictor.conv5_mask', 'mask_head.deconv')
    .replace('mask_predictor.mask_fcn_logits', 'mask_head.predictor');

const mmdet = (name: string): string =>
  name
    .replace('backbone.body.', 'backbone.')
    .replace(/^backbone\.fpn\.inner_blocks\.(\d)\.0/, 'neck.lateral_convs.$1.conv')
    .replace(/^backbone\.fpn\.layer_blocks\.(\d)\.0/, 'neck.fpn_convs.$1.conv')
    .replace('rpn.head.conv.0.0', 'rpn_head.rpn_conv')
    .replace('rpn.head.cls_logits', 'rpn_head.rpn_cls')
    .replace('rpn.head.bbox_pred', 'rpn_head.rpn_reg')
    .replace('roi_heads.box_head.fc6', 'roi_head.bbox_head.shared_fcs.0')
    .replace('roi_heads.box_head.fc7', 'roi_head.bbox_head.shared_fcs.1')
    .replace('roi_heads.box_predictor.cls_score', 'roi_head.bbox_head.fc_cls')
    .replace('roi_heads.box_predictor.bbox_pred', 'roi_head.bbox_head.fc_reg')
    .replace(/roi_heads\.mask_head\.(\d)\.0/, 'roi_head.mask_head.convs.$1.conv')
    .replace('roi_heads.mask_predictor.conv5_mask', 'roi_head.mask_head.upsample')
    .replace('roi_heads.mask_predictor.mask_fcn_logits', 'roi_head.mask_head.conv_logits');

const bgr = { mean: [103.53, 116.28, 123.675], std: [1, 1, 1] };
const rgb = { mean: [123.675, 116.28, 103.53], std: [58.395, 57.12, 57.375] };
const cases = [
  { title: 'detectron2', rename: d2, pixels: bgr, swaps: true, strideIn: '1x1', config: '' },
  {
    title: 'mmdetection, caffe style',
    rename: mmdet,
    pixels: bgr,
    swaps: true,
    strideIn: '1x1',
    config: "style='caffe'",
  },
  {
    title: 'mmdetection, pytorch style',
    rename: mmdet,
    pixels: rgb,
    swaps: false,
    strideIn: '3x3',
    config: "style='pytorch'",
  },
] as const;

function picture(seed: number, height: number, width: number): tf.Tensor3D {
  const random = new Random(seed);
  const values = Float32Array.from({ length: height * width * 3 }, (_, i) => {
    const x = Math.floor(i / 3) % width;
    return Math.min(1, Math.max(0, 0.5 + 0.3 * Math.sin(x / 5 + (i % 3)) + 0.15 * random.normal()));
  });
  return tf.tensor3d(values, [height, width, 3]);
}

test.each(cases)('a converted file of $title gives the detections of its own network', async (kind) => {
  const share = (values: readonly number[]) => values.map((value) => value / 255);
  const theirs = reference(kind.strideIn, share(kind.pixels.mean), share(kind.pixels.std));
  const shapes = [...(await stateDict(theirs))].map(([name, { shape }]) => [name, shape] as const);
  const weights = shapes.map(([name, shape]) => hashed(name, shape, kind.swaps ? 5000 : 1));
  await loadStateDict(theirs, memorySource(weights));

  const renamed = weights.map((entry) => ({ ...entry, name: kind.rename(entry.name) }));
  const file = { ...memorySource(renamed, 'theirs.pth'), metadata: new Map([['meta.config', kind.config]]) };
  const converted = (await convertForeign(file))!;
  expect(converted.tensors.length).toBe(weights.length);
  expect(converted.assumed).toBeUndefined();
  const checkpoint = { weights: memorySource(converted.tensors), profile: converted.profile };
  const {
    model: ours,
    report,
    arch,
  } = await detectorFromCheckpoint(checkpoint, { ...narrow, ...limits, arch: 'maskrcnn_resnet50_fpn' });
  expect({ arch, loaded: report.loaded.length }).toEqual({ arch: 'maskrcnn_resnet50_fpn', loaded: weights.length });

  const pictures = [picture(1, 60, 80), picture(2, 75, 50)];
  const seen = pictures.map((image) => (kind.swaps ? tf.reverse(image, 2) : image) as tf.Tensor3D);
  const expected = await theirs.detect(seen);
  const found = await ours.detect(pictures);
  for (const [i, detections] of expected.entries()) {
    const labels = detections.map(({ label }) => label);
    expect(detections.length).toBeGreaterThan(3);
    expect(new Set(labels).size).toBeGreaterThan(1);
    expect(found[i]!.map(({ label }) => label)).toEqual(labels);
    const numbers = (from: readonly Detection[]) => from.flatMap(({ box, score }) => [...box, score]);
    expect(largest(numbers(found[i]!), numbers(detections))).toBeLessThan(1e-3);
    for (const [d, { mask }] of detections.entries()) expect(found[i]![d]!.mask!.rle()).toEqual(mask!.rle());
  }
  tf.dispose([pictures, seen]);
  theirs.dispose();
  ours.dispose();
});

function largest(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference = Math.max(difference, Math.abs(a[i]! - b[i]!));
  return difference;
}

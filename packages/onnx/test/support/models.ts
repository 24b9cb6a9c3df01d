import { type PixelImage, Random } from '@rcnn/core';
import {
  cascadeMaskRcnnResnetFpn,
  cascadeRcnnResnetFpn,
  type FasterRCNN,
  fasterRcnnMobileNetV3LargeFpn,
  fasterRcnnResnetFpn,
  keypointRcnnResnetFpn,
  maskRcnnMobileNetV3LargeFpn,
  maskRcnnResnetFpn,
  pointRendResnetFpn,
  type RecipeOptions,
} from '@rcnn/two-stage';
import * as tf from '@tensorflow/tfjs-core';

/** Narrow, so that a picture takes a moment. */
export const tiny = (seed: number): RecipeOptions => ({
  body: 'resnet18',
  blocks: [1, 1, 1, 1],
  planes: [8, 8, 16, 16],
  stemChannels: 8,
  fpnChannels: 16,
  boxFeatures: 32,
  minSize: 120,
  maxSize: 200,
  rpnPreNmsTopNTest: 200,
  rpnPostNmsTopNTest: 100,
  boxScoreThresh: 0.3,
  random: new Random(seed),
});

/**
 * First weights say the same of every region; these differ, so that scores have an order that rounding does not turn.
 */
function outspoken<Model extends FasterRCNN>(model: Model, seed: number): Model {
  const random = new Random(seed);
  const gains: readonly (readonly [RegExp, number])[] = [
    [/cls_score\.weight$/, 40],
    [/rpn\.head\.cls_logits\.weight$/, 60],
    [/bbox_pred\.weight$/, 8],
    [/mask_fcn_logits\.weight$/, 4],
    [/running_var$/, 1.5],
  ];
  for (const [name, parameter] of model.namedParameters()) {
    const gain = gains.find(([pattern]) => pattern.test(name))?.[1] ?? 1;
    const isShift = /bias$|running_mean$/.test(name);
    const values = Float32Array.from({ length: parameter.size }, () => 0.05 * random.normal());
    tf.tidy(() => parameter.assign(isShift ? tf.tensor(values, [...parameter.shape]) : tf.mul(parameter.value, gain)));
  }
  return model;
}

export const models: Readonly<Record<string, () => FasterRCNN>> = {
  'Mask R-CNN': () => outspoken(maskRcnnResnetFpn({ ...tiny(1), numClasses: 5 }), 2),
  'Mask R-CNN v2 of bottlenecks, BGR': () =>
    outspoken(maskRcnnResnetFpn({ ...tiny(5), body: 'resnet50', version: 2, numClasses: 3, channelOrder: 'bgr' }), 6),
  'Mask R-CNN of ResNeXt blocks': () =>
    outspoken(maskRcnnResnetFpn({ ...tiny(7), body: 'resnext50_32x4d', planes: [32, 32, 32, 32], numClasses: 3 }), 8),
  'Faster R-CNN': () => outspoken(fasterRcnnResnetFpn({ ...tiny(3), numClasses: 4 }), 4),
  'Mask R-CNN on a MobileNet': () =>
    outspoken(maskRcnnMobileNetV3LargeFpn({ ...tiny(17), norm: 'batch', numClasses: 3 }), 18),
  'Faster R-CNN on the last maps of a MobileNet': () =>
    outspoken(fasterRcnnMobileNetV3LargeFpn({ ...tiny(19), norm: 'batch', numClasses: 4 }), 20),
};

/** What is compiled and not exported. */
export const moreModels: Readonly<Record<string, () => FasterRCNN>> = {
  'Cascade R-CNN': () => outspoken(cascadeRcnnResnetFpn({ ...tiny(9), numClasses: 4 }), 10),
  'Cascade Mask R-CNN': () => outspoken(cascadeMaskRcnnResnetFpn({ ...tiny(11), numClasses: 3 }), 12),
  'Keypoint R-CNN': () =>
    outspoken(keypointRcnnResnetFpn({ ...tiny(13), numClasses: 2, keypointChannels: [16, 16], numKeypoints: 5 }), 14),
  PointRend: () =>
    outspoken(pointRendResnetFpn({ ...tiny(15), numClasses: 4, boxDetectionsPerImg: 8, boxScoreThresh: 0.2 }), 16),
};

/** Waves and grain, of any size. */
export function picture(height: number, width: number, seed: number): PixelImage {
  const random = new Random(seed);
  const data = new Float32Array(height * width * 3);
  for (let i = 0; i < data.length; i++) {
    const [c, x, y] = [i % 3, Math.floor(i / 3) % width, Math.floor(i / 3 / width)];
    const wave = 0.5 + 0.4 * Math.sin(x / (7 + 3 * c)) * Math.cos(y / (11 - c));
    data[i] = Math.min(1, Math.max(0, wave + 0.1 * random.normal()));
  }
  return { data, height, width, channels: 3 };
}

/** Sizes on both sides of the model's own, odd ones and a strip. */
export const SIZES: readonly (readonly [height: number, width: number])[] = [
  [60, 84],
  [233, 141],
  [64, 64],
  [101, 257],
  [20, 300],
];

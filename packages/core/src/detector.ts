import type * as tf from '@tensorflow/tfjs-core';
import type { ParameterOwner } from './module.ts';
import type { Random } from './random.ts';
import type { Detection, ImageSize, Phase, PixelImage, Target } from './types.ts';

/** What detectors take: a float32 tensor `[H, W, 3]`, RGB in [0, 1], or pixels on the host. */
export type ImageInput = tf.Tensor3D | PixelImage;

/** The losses of a batch by name, each a scalar; their plain sum is what training lowers. */
export type Losses = Readonly<Record<string, tf.Scalar>>;

/**
 * All that programs around a detector may know of it: training, evaluation, prediction, drawing and checkpoints work
 * with whatever has this shape, one stage or two. There is nothing to inherit: an object that passes `describeDetector`
 * (of `@rcnn/detector/testing`) is a detector.
 *
 * Detecting and learning are two methods; there is no mode to set.
 */
export interface Detector<D extends Detection = Detection> extends ParameterOwner {
  readonly spec: DetectorSpec;
  /**
   * Finds the objects of each image, best score first, in pixels of that image. Plain data; no tensor is left behind.
   * @throws IMAGE_INVALID naming image and pixel
   */
  detect(images: readonly ImageInput[], options?: DetectOptions): Promise<D[][]>;
  /**
   * What the detector should learn from these images. For gradients, call it inside `valueAndGradients`; without a tape
   * it is a validation loss. The caller disposes the scalars.
   * @param targets one per image, in its pixels; an image without objects has one too
   */
  losses(images: readonly ImageInput[], targets: readonly Target[], options?: LossOptions): Promise<Losses>;
}

/** What a detector says of itself. */
export interface DetectorSpec {
  /** Classes that it tells apart, the background (0) included. */
  readonly numClasses: number;
  /** What a target must have beside boxes and labels. */
  readonly learnsFrom: readonly TargetExtra[];
  /** What its detections have: evaluation, curves and reports go through this list. */
  readonly finds: readonly Finding[];
  /** Key points of one object; there when the detector learns or finds key points. */
  readonly numKeypoints?: number | undefined;
  /** How images are prepared. */
  readonly input: InputSpec;
  /**
   * Whether a parameter's shape depends on the number of classes, so that weights of a model for other classes may go
   * without it.
   */
  isPredictor(name: string): boolean;
  /** Estimated peak memory in bytes of one training step. Absent: not known. */
  bytesOfStep?(size: StepSize): number;
}

/** What a target can have beside boxes and labels. */
export type TargetExtra = 'masks' | 'keypoints';

/** What a detector can find. */
export type Finding = 'boxes' | TargetExtra;

/** How a detector prepares images before its backbone sees them: what weights expect, and so travels with them. */
export interface InputSpec {
  readonly resize: ResizeRule;
  /** Both sides of a batch are padded to a multiple of this. 1: padded to the largest image only. */
  readonly sizeDivisor: number;
  readonly channelOrder: 'rgb' | 'bgr';
  /** Per channel in the order above, for pixels in [0, 1]. */
  readonly mean: PerChannel;
  readonly std: PerChannel;
}

export type PerChannel = readonly [number, number, number];

/** How an image gets its size. All are bilinear with half-pixel centers, without antialias. */
export type ResizeRule =
  | {
      /** The short side becomes `minSize` unless the long one would exceed `maxSize`; rounded down, in doubles. */
      readonly rule: 'torchvision';
      readonly minSize: number;
      readonly maxSize: number;
      /** What training draws the short side from, where that is not `minSize` alone. */
      readonly trainingSizes?: readonly number[] | undefined;
    }
  /** Squeezed to this size; the ratio of the sides is not kept (YOLACT). */
  | { readonly rule: 'fixed'; readonly size: ImageSize }
  /** Scaled to fit inside this size, centered, the rest filled. */
  | { readonly rule: 'letterbox'; readonly size: ImageSize };

export interface DetectOptions {
  /** Probability above which a pixel belongs to the object, in the mask's hard forms. Default 0.5. */
  readonly maskThreshold?: number | undefined;
}

export interface LossOptions {
  /** Default `train`. In `predict` the losses are the same, but batch norms use and keep their running statistics. */
  readonly phase?: Phase | undefined;
  /**
   * Draws samples, and sizes where there is a choice. Default a fresh `Random(0)`: the same choices every time, as a
   * validation loss wants them. Training passes a stream of its own.
   */
  readonly random?: Random | undefined;
}

/** What decides how much memory one training step takes. */
export interface StepSize {
  /** Images per batch. */
  readonly batchSize: number;
  /** Of the padded batch, `[height, width]` in pixels. */
  readonly imageSize: ImageSize;
  /** Numbers that are kept beside each learning weight: momentum, averages. */
  readonly slots: number;
}

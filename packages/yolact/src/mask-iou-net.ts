import { Conv2d, Module, type Random, RcnnError, takeRows, withoutGradients, xavierUniform } from '@rcnn/core';
import * as tf from '@tensorflow/tfjs-core';

export interface MaskIoUNetOptions {
  /** Background included. */
  readonly numClasses: number;
  /** Of the convolutions that halve the map. Default 8, 16, 32, 64, 128, which needs masks of 63 cells on a side. */
  readonly channels?: readonly number[] | undefined;
  readonly random?: Random | undefined;
}

/** Of the published network. */
const CHANNELS = [8, 16, 32, 64, 128] as const;

/**
 * Says how well a mask fits, from the mask alone: for each class the IoU that it would have with the truth. Convolutions
 * of stride 2 without padding, a 1x1 to the classes, ReLU after every one, the largest value of the map. Parameters carry
 * the authors' numbers: `maskiou_net.0`, `.2`, …
 * @see Bolya et al. 2019, section 6.1 (arXiv:1912.06218)
 */
export class MaskIoUNet extends Module {
  readonly #layers: readonly Conv2d[];
  /** Name of the last convolution, which knows the classes. */
  readonly predictor: string;

  constructor({ numClasses, channels = CHANNELS, random }: MaskIoUNetOptions) {
    super();
    const conv = (at: number, from: number, to: number, kernelSize: number, stride: number): Conv2d => {
      const settings = { kernelSize, stride, padding: 0, activation: 'relu', initialiser: xavierUniform() } as const;
      return this.register(`maskiou_net.${2 * at}`, new Conv2d(from, to, { ...settings, random }));
    };
    this.predictor = `maskiou_net.${2 * channels.length}`;
    this.#layers = [
      ...channels.map((width, at) => conv(at, channels[at - 1] ?? 1, width, 3, 2)),
      conv(channels.length, channels.at(-1) ?? 1, numClasses - 1, 1, 1),
    ];
  }

  /**
   * The IoU that each mask is given for its own class: `[R]`. The caller owns it.
   * @param masks `[R, H, W]`, probabilities
   * @param labels `[R]`, 1 and up
   * @throws SHAPE_MISMATCH when the masks are too small
   */
  forward(masks: tf.Tensor3D, labels: Int32Array): tf.Tensor1D {
    this.#check(masks);
    return tf.tidy(() => {
      const maps = this.#layers.reduce((map, layer) => layer.forward(map), tf.expandDims(masks, 3) as tf.Tensor4D);
      const best = largestOf(maps); // [R, K - 1]
      const classes = best.shape[1]!;
      const rows = labels.map((label, row) => row * classes + label - 1);
      return tf.reshape(takeRows(tf.reshape(best, [-1, 1]) as tf.Tensor2D, rows), [-1]) as tf.Tensor1D;
    });
  }

  #check({ shape: [, height, width] }: tf.Tensor3D): void {
    const least = 2 ** this.#layers.length - 1; // each halving but the 1x1 takes (side - 3) / 2 + 1
    if (height >= least && width >= least) return;
    throw new RcnnError('SHAPE_MISMATCH', {
      where: 'MaskIoUNet.forward',
      problem: 'the masks are too small for so many convolutions of stride 2',
      found: `${height}x${width}`,
      expected: `at least ${least} on each side`,
      hint: 'Take larger images, or fewer `channels`.',
    });
  }
}

/**
 * The largest value of each map: `[R, H, W, C]` to `[R, C]`. The gradient goes to the first cell that has it. Outside of
 * its box a mask is 0, so that many cells are equal there; `tf.max` would send the gradient to all of them.
 */
function largestOf(maps: tf.Tensor4D): tf.Tensor2D {
  const [count, height, width, channels] = maps.shape;
  if (height * width === 1) return tf.reshape(maps, [count, channels]); // tfjs makes no one-hot of one place
  const cells = tf.transpose(tf.reshape(maps, [count, height * width, channels]), [0, 2, 1]);
  const first = withoutGradients(() => tf.oneHot(tf.argMax(cells, 2), height * width, 1, 0, 'float32'));
  return tf.sum(tf.mul(cells, first), 2);
}

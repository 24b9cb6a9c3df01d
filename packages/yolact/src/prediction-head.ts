import { Conv2d, Module, type Pyramid, type Random, xavierUniform } from '@rcnn/core';
import * as tf from '@tensorflow/tfjs-core';

export interface PredictionHeadOptions {
  readonly inChannels: number;
  /** Channels inside. Default 256. */
  readonly channels?: number | undefined;
  /** Background included. */
  readonly numClasses: number;
  /** Priors of a cell. Default 3. */
  readonly priorsPerCell?: number | undefined;
  /** Default 32. */
  readonly numPrototypes?: number | undefined;
  readonly random?: Random | undefined;
}

/** What is said of every prior. P priors in the order level, row, column, prior of the cell. */
export interface Predictions {
  /** `[N, P, 4]` */
  readonly deltas: tf.Tensor3D;
  /** `[N, P, numClasses]`, background first. */
  readonly logits: tf.Tensor3D;
  /** `[N, P, k]` in [-1, 1]: how much of each prototype is in the mask. */
  readonly coefficients: tf.Tensor3D;
}

/**
 * One head for all levels of a pyramid: a shared 3x3 and three of them beside each other.
 * @see Bolya et al. 2019, section 3.2 and figure 4 (arXiv:1904.02689)
 */
export class PredictionHead extends Module {
  readonly priorsPerCell: number;
  readonly numClasses: number;
  readonly #shared: Conv2d;
  readonly #boxes: Conv2d;
  readonly #classes: Conv2d;
  readonly #coefficients: Conv2d;

  constructor({ inChannels, channels = 256, numClasses, ...options }: PredictionHeadOptions) {
    super();
    const { priorsPerCell = 3, numPrototypes = 32, random } = options;
    const settings = { kernelSize: 3, initialiser: xavierUniform(), random };
    const conv = (name: string, width: number): Conv2d =>
      this.register(name, new Conv2d(channels, priorsPerCell * width, settings));
    this.priorsPerCell = priorsPerCell;
    this.numClasses = numClasses;
    this.#shared = this.register('upfeature.0', new Conv2d(inChannels, channels, { ...settings, activation: 'relu' }));
    this.#boxes = conv('bbox_layer', 4);
    this.#classes = conv('conf_layer', numClasses);
    this.#coefficients = conv('mask_layer', numPrototypes);
  }

  /** The caller owns what comes out. */
  forward(levels: Pyramid): Predictions {
    return tf.tidy(() => {
      const shared = levels.map((map) => this.#shared.forward(map));
      const all = (layer: Conv2d): tf.Tensor3D =>
        tf.concat(
          shared.map((map) => rowPerPrior(layer.forward(map), this.priorsPerCell)),
          1,
        );
      const [deltas, logits] = [all(this.#boxes), all(this.#classes)];
      return { deltas, logits, coefficients: tf.tanh(all(this.#coefficients)) };
    });
  }
}

/** `[N, H, W, a * width]` to `[N, H * W * a, width]`. */
function rowPerPrior(map: tf.Tensor4D, priorsPerCell: number): tf.Tensor3D {
  const [count, , , channels] = map.shape;
  return tf.reshape(map, [count, -1, channels / priorsPerCell]);
}

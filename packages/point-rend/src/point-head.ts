import {
  type GraphBuilder,
  type GraphValue,
  kaimingNormal,
  Linear,
  Module,
  normal,
  type Phase,
  type Random,
} from '@rcnn/core';
import * as tf from '@tensorflow/tfjs-core';

export interface PointHeadOptions {
  /** Channels of the finest map. */
  readonly inChannels: number;
  /** Background not counted. */
  readonly numObjectClasses: number;
  /** Widths of the hidden layers. Default three times 256. */
  readonly channels?: readonly number[] | undefined;
  readonly random?: Random | undefined;
}

/**
 * Says of single points whether they belong to the object: a small network that sees the finest features and the coarse
 * mask there, and is shown the coarse mask again at every layer. Children `fc1` and so on, `predictor`.
 * @see Kirillov et al. 2020, section 3.1 (arXiv:1912.08193)
 */
export class PointHead extends Module {
  readonly #layers: readonly Linear[];
  readonly #predictor: Linear;

  constructor({ inChannels, numObjectClasses, channels = [256, 256, 256], random }: PointHeadOptions) {
    super();
    this.#layers = channels.map((width, i) => {
      const from = (channels[i - 1] ?? inChannels) + numObjectClasses;
      const options = { activation: 'relu', initialiser: kaimingNormal('fanOut'), random } as const;
      return this.register(`fc${i + 1}`, new Linear(from, width, options));
    });
    const last = (channels.at(-1) ?? inChannels) + numObjectClasses;
    const predictor = new Linear(last, numObjectClasses, { initialiser: normal(0.001), random });
    this.#predictor = this.register('predictor', predictor);
  }

  /** Features `[M, C]` and coarse logits `[M, K]` of points to logits `[M, K]`. */
  forward(fine: tf.Tensor2D, coarse: tf.Tensor2D, phase?: Phase): tf.Tensor2D {
    return tf.tidy(() => {
      const joined = (x: tf.Tensor2D): tf.Tensor2D => tf.concat([x, coarse], 1);
      const last = this.#layers.reduce((x, layer) => layer.forward(joined(x), phase), fine);
      return this.#predictor.forward(joined(last), phase);
    });
  }

  toGraph(graph: GraphBuilder, fine: GraphValue, coarse: GraphValue): GraphValue {
    const joined = (x: GraphValue): GraphValue => graph.joinChannels([x, coarse]);
    const last = this.#layers.reduce((x, layer) => layer.toGraph(graph, joined(x)), fine);
    return this.#predictor.toGraph(graph, joined(last));
  }
}

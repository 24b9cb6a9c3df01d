import {
  Conv2d,
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

export interface CoarseHeadOptions {
  /** Channels of the finest map. */
  readonly inChannels: number;
  /** Background not counted. */
  readonly numObjectClasses: number;
  /** Default 256. */
  readonly channels?: number | undefined;
  /** Length of the two dense layers. Default 1024. */
  readonly features?: number | undefined;
  readonly random?: Random | undefined;
}

/**
 * A small mask for each class from the whole region: 14x14 points of the finest map, halved, two dense layers, 7x7
 * logits. Children `reduce_spatial_dim_conv`, `fc1`, `fc2`, `prediction`, detectron2's names.
 * @see Kirillov et al. 2020, section 4.1 (arXiv:1912.08193)
 */
export class CoarseMaskHead extends Module {
  /** Cells on a side of what goes in. */
  readonly inSide = 14;
  /** Cells on a side of what comes out. */
  readonly outSide = 7;
  readonly numObjectClasses: number;
  readonly #reduce: Conv2d;
  readonly #fc1: Linear;
  readonly #fc2: Linear;
  readonly #prediction: Linear;

  constructor({ inChannels, numObjectClasses, channels = 256, features = 1024, random }: CoarseHeadOptions) {
    super();
    this.numObjectClasses = numObjectClasses;
    const [side, initialiser] = [this.outSide, kaimingNormal('fanOut')];
    const reduce = { kernelSize: 2, stride: 2, padding: 0, activation: 'relu', initialiser, random } as const;
    this.#reduce = this.register('reduce_spatial_dim_conv', new Conv2d(inChannels, channels, reduce));
    const layout = { height: side, width: side, channels };
    const dense = { activation: 'relu', random } as const;
    this.#fc1 = this.register('fc1', new Linear(side * side * channels, features, { ...dense, layout }));
    this.#fc2 = this.register('fc2', new Linear(features, features, dense));
    const last = new Linear(features, numObjectClasses * side * side, { initialiser: normal(0.001), random });
    this.#prediction = this.register('prediction', last);
  }

  /** `[R, 14, 14, C]` to logits `[R, 7, 7, K]`. */
  forward(x: tf.Tensor4D, phase?: Phase): tf.Tensor4D {
    return tf.tidy(() => {
      const [side, count] = [this.outSide, x.shape[0]];
      const rows = tf.reshape(this.#reduce.forward(x, phase), [count, -1]) as tf.Tensor2D;
      const vectors = this.#fc2.forward(this.#fc1.forward(rows, phase), phase);
      const byClass = tf.reshape(this.#prediction.forward(vectors, phase), [count, this.numObjectClasses, side, side]);
      return tf.transpose(byClass, [0, 2, 3, 1]) as tf.Tensor4D;
    });
  }

  toGraph(graph: GraphBuilder, x: GraphValue): GraphValue {
    const rows = graph.flatten(this.#reduce.toGraph(graph, x));
    const vectors = this.#fc2.toGraph(graph, this.#fc1.toGraph(graph, rows));
    const byClass = this.#prediction.toGraph(graph, vectors);
    return graph.unflatten(byClass, { height: this.outSide, width: this.outSide });
  }
}

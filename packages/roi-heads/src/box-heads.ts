import {
  Conv2d,
  ConvNorm,
  type GraphBuilder,
  type GraphValue,
  type Layer,
  Linear,
  Module,
  type NormFactory,
  type ParameterOwner,
  type Phase,
  type Random,
} from '@rcnn/core';
import * as tf from '@tensorflow/tfjs-core';

/** Turns pooled regions `[R, S, S, C]` into one vector each: `[R, features]`. */
export interface BoxHead extends Layer<tf.Tensor4D, tf.Tensor2D> {
  readonly outFeatures: number;
}

export interface BoxHeadOptions {
  /** Channels of the pyramid. */
  readonly inChannels: number;
  /** Cells on a side of a pooled region. Default 7. */
  readonly poolSize?: number | undefined;
  /** Length of the vector. Default 1024. */
  readonly outFeatures?: number | undefined;
  readonly random?: Random | undefined;
}

/**
 * Two dense layers with ReLU, named `fc6` and `fc7` since VGG. torchvision's v1 models.
 * @see Lin et al. 2017, section 4.2 (arXiv:1612.03144)
 */
export class TwoFCHead extends Module implements BoxHead {
  readonly outFeatures: number;
  readonly #fc6: Linear;
  readonly #fc7: Linear;

  constructor({ inChannels, poolSize = 7, outFeatures = 1024, random }: BoxHeadOptions) {
    super();
    this.outFeatures = outFeatures;
    const layout = { height: poolSize, width: poolSize, channels: inChannels };
    const first = { layout, activation: 'relu', random } as const;
    this.#fc6 = this.register('fc6', new Linear(poolSize * poolSize * inChannels, outFeatures, first));
    this.#fc7 = this.register('fc7', new Linear(outFeatures, outFeatures, { activation: 'relu', random }));
  }

  forward(x: tf.Tensor4D, phase?: Phase): tf.Tensor2D {
    return tf.tidy(() => this.#fc7.forward(this.#fc6.forward(flatten(x), phase), phase));
  }

  toGraph(graph: GraphBuilder, x: GraphValue): GraphValue {
    return this.#fc7.toGraph(graph, this.#fc6.toGraph(graph, graph.flatten(x)));
  }
}

/** Four 3x3 convolutions with norm and ReLU, then one dense layer. torchvision's v2 models. */
export class ConvFCHead extends Module implements BoxHead {
  readonly outFeatures: number;
  readonly #convs: readonly ConvNorm[];
  readonly #fc: Linear;

  constructor({
    inChannels,
    poolSize = 7,
    outFeatures = 1024,
    norm,
    channels = [256, 256, 256, 256],
    random,
  }: BoxHeadOptions & { readonly norm: NormFactory; readonly channels?: readonly number[] }) {
    super();
    this.outFeatures = outFeatures;
    this.#convs = channels.map((width, i) => {
      const conv = new Conv2d(channels[i - 1] ?? inChannels, width, { kernelSize: 3, bias: false, random });
      return new ConvNorm(this.register(`${i}.0`, conv), this.register(`${i}.1`, norm(width)), 'relu');
    });
    const last = channels.at(-1) ?? inChannels;
    const layout = { height: poolSize, width: poolSize, channels: last };
    const dense = new Linear(poolSize * poolSize * last, outFeatures, { layout, activation: 'relu', random });
    this.#fc = this.register(`${channels.length + 1}`, dense); // the flattening between has the number before
  }

  forward(x: tf.Tensor4D, phase?: Phase): tf.Tensor2D {
    return tf.tidy(() => {
      const maps = this.#convs.reduce((map, conv) => conv.forward(map, phase), x);
      return this.#fc.forward(flatten(maps), phase);
    });
  }

  toGraph(graph: GraphBuilder, x: GraphValue): GraphValue {
    const maps = this.#convs.reduce((map, conv) => conv.toGraph(graph, map), x);
    return this.#fc.toGraph(graph, graph.flatten(maps));
  }

  override dispose(): void {
    for (const conv of this.#convs) conv.dispose();
    super.dispose();
  }
}

/** Class logits and box deltas. */
export interface BoxPredictions {
  /** `[R, K]`, background first. */
  readonly logits: tf.Tensor2D;
  /** `[R, K * 4]`, class-major, background included; or `[R, 4]`, one box for all classes. */
  readonly deltas: tf.Tensor2D;
}

/** Turns a region's vector `[R, features]` into logits and deltas. */
export interface BoxPredictor extends ParameterOwner {
  /** Background included. */
  readonly numClasses: number;
  forward(x: tf.Tensor2D, phase?: Phase): BoxPredictions;
}

/** A predictor that can be exported: logits `[R, K]` and deltas `[R, K * 4]` or `[R, 4]`. */
export interface WritableBoxPredictor {
  /** Whether there is one box for all classes. */
  readonly classAgnostic: boolean;
  toGraph(graph: GraphBuilder, x: GraphValue): { readonly logits: GraphValue; readonly deltas: GraphValue };
}

export interface BoxPredictorOptions {
  /** One box for all classes, as Cascade R-CNN and R-FCN have it. Default false: a box for each. */
  readonly classAgnostic?: boolean | undefined;
  readonly random?: Random | undefined;
}

/** Two dense layers side by side. @see Girshick 2015 (arXiv:1504.08083) */
export class FastRCNNPredictor extends Module implements BoxPredictor {
  readonly numClasses: number;
  readonly classAgnostic: boolean;
  readonly #logits: Linear;
  readonly #deltas: Linear;

  /** @param numClasses background included */
  constructor(inFeatures: number, numClasses: number, { classAgnostic = false, random }: BoxPredictorOptions = {}) {
    super();
    this.numClasses = numClasses;
    this.classAgnostic = classAgnostic;
    this.#logits = this.register('cls_score', new Linear(inFeatures, numClasses, { random }));
    this.#deltas = this.register('bbox_pred', new Linear(inFeatures, classAgnostic ? 4 : numClasses * 4, { random }));
  }

  forward(x: tf.Tensor2D): BoxPredictions {
    return { logits: this.#logits.forward(x), deltas: this.#deltas.forward(x) };
  }

  toGraph(graph: GraphBuilder, x: GraphValue): ReturnType<WritableBoxPredictor['toGraph']> {
    return { logits: this.#logits.toGraph(graph, x), deltas: this.#deltas.toGraph(graph, x) };
  }
}

function flatten(x: tf.Tensor4D): tf.Tensor2D {
  const [rows, height, width, channels] = x.shape;
  return tf.reshape(x, [rows, height * width * channels]);
}

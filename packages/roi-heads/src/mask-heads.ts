import {
  Conv2d,
  ConvNorm,
  ConvTranspose2d,
  fanInUniform,
  type GraphBuilder,
  type GraphValue,
  type Layer,
  linear,
  Module,
  type NormFactory,
  type ParameterOwner,
  type Phase,
  type Random,
  type ToGraph,
} from '@rcnn/core';
import * as tf from '@tensorflow/tfjs-core';

/** Maps pooled regions `[R, S, S, C]` to `[R, S, S, D]`. */
export interface MaskHead extends Layer {
  readonly outChannels: number;
}

export interface MaskHeadOptions {
  readonly inChannels: number;
  /** Channels of each convolution. Default four times 256. */
  readonly channels?: readonly number[];
  /** A norm after each convolution, which then has no bias (torchvision's v2 models). Default none. */
  readonly norm?: NormFactory | undefined;
  readonly random?: Random | undefined;
}

/** 3x3 convolutions with ReLU. @see He et al. 2017, figure 4 (arXiv:1703.06870) */
export class MaskRCNNHeads extends Module implements MaskHead {
  readonly outChannels: number;
  readonly #layers: readonly (ToGraph & Pick<Layer, 'forward' | 'dispose'>)[];

  constructor({ inChannels, channels = [256, 256, 256, 256], norm, random }: MaskHeadOptions) {
    super();
    this.outChannels = channels.at(-1) ?? inChannels;
    this.#layers = channels.map((width, i) => {
      const bias = norm === undefined;
      const options = { kernelSize: 3, bias, activation: bias ? 'relu' : 'linear', random } as const;
      const conv = this.register(`${i}.0`, new Conv2d(channels[i - 1] ?? inChannels, width, options));
      return norm === undefined ? conv : new ConvNorm(conv, this.register(`${i}.1`, norm(width)), 'relu');
    });
  }

  forward(x: tf.Tensor4D, phase?: Phase): tf.Tensor4D {
    return tf.tidy(() =>
      this.#layers.reduce((map, layer) => {
        const next = layer.forward(map, phase);
        if (map !== x) map.dispose(); // a tape keeps what it needs by itself
        return next;
      }, x),
    );
  }

  toGraph(graph: GraphBuilder, x: GraphValue): GraphValue {
    return this.#layers.reduce((map, layer) => layer.toGraph(graph, map), x);
  }

  override dispose(): void {
    for (const layer of this.#layers) layer.dispose();
    super.dispose();
  }
}

/** Turns maps of regions into mask logits. */
export interface MaskPredictor extends ParameterOwner {
  readonly numClasses: number;
  /** Mask logits of one class per region, the others never computed: `[R, S, S, C]` and R labels to `[R, 2S, 2S]`. */
  forward(x: tf.Tensor4D, labels: Int32Array, phase?: Phase): tf.Tensor3D;
}

/** A predictor that can be exported: logits `[R, 2S, 2S]` of the class of each region. */
export interface WritableMaskPredictor {
  toGraph(graph: GraphBuilder, x: GraphValue, labels: GraphValue): GraphValue;
}

/** Transposed convolution 2x2 with ReLU, then a 1x1 per class. @see He et al. 2017, figure 4 (arXiv:1703.06870) */
export class MaskRCNNPredictor extends Module implements MaskPredictor {
  readonly numClasses: number;
  readonly #upsample: ConvTranspose2d;
  readonly #logits: Conv2d;

  /** @param numClasses background included */
  constructor(
    inChannels: number,
    numClasses: number,
    { channels = 256, random }: { channels?: number; random?: Random | undefined } = {},
  ) {
    super();
    this.numClasses = numClasses;
    const biasInitialiser = fanInUniform();
    const upsample = new ConvTranspose2d(inChannels, channels, { kernelSize: 2, stride: 2, biasInitialiser, random });
    this.#upsample = this.register('conv5_mask', upsample);
    const logits = new Conv2d(channels, numClasses, { kernelSize: 1, biasInitialiser, random });
    this.#logits = this.register('mask_fcn_logits', logits);
  }

  /**
   * Two steps are done in another way than the layers' names suggest, for the same numbers. A transposed convolution
   * whose stride is its size sees each cell once: it is a dense layer from a cell to the four below it. And the 1x1 of
   * one class is a dot product per cell, with the filter of the wanted class: 1/K of the arithmetic and memory.
   */
  forward(x: tf.Tensor4D, labels: Int32Array): tf.Tensor3D {
    return tf.tidy(() => {
      const [count, height, width, inChannels] = x.shape;
      const { weight, bias } = this.#upsample; // [2, 2, C, inChannels], [C]
      const channels = weight.shape[2]!;
      const toFour = tf.transpose(tf.reshape(weight.value, [4 * channels, inChannels])) as tf.Tensor2D;
      const rows = tf.reshape(x, [count * height * width, inChannels]) as tf.Tensor2D;
      const maps = linear(rows, toFour, tf.tile(bias!.value as tf.Tensor1D, [4]), 'relu'); // [R * S * S, 4 * C]
      const cells = tf.reshape(maps, [count, height * width * 4, channels]);
      const logits = tf.matMul(cells, this.#filters(labels)); // [R, S * S * 4, 1]
      const classBias = tf.gather(this.#logits.bias!.value, tf.tensor1d(labels, 'int32'));
      const biased = tf.add(logits, tf.reshape(classBias, [count, 1, 1]));
      const inBlocks = tf.reshape(biased, [count, height, width, 2, 2]);
      return tf.reshape(tf.transpose(inBlocks, [0, 1, 3, 2, 4]), [count, 2 * height, 2 * width]) as tf.Tensor3D;
    });
  }

  toGraph(graph: GraphBuilder, x: GraphValue, labels: GraphValue): GraphValue {
    const maps = graph.relu(this.#upsample.toGraph(graph, x));
    const { weight, bias } = this.#logits;
    return graph.classConvolution(maps, labels, { weight: { parameter: weight }, bias: { parameter: bias! } });
  }

  /** The 1x1 filter of each region's class: `[R, C, 1]`. */
  #filters(labels: Int32Array): tf.Tensor {
    const byClass = tf.transpose(tf.reshape(this.#logits.weight.value, [-1, this.numClasses])); // [K, C]
    return tf.expandDims(tf.gather(byClass, tf.tensor1d(labels, 'int32')), 2);
  }
}

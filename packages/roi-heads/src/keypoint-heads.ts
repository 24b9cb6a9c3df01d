import {
  Conv2d,
  ConvTranspose2d,
  type GraphBuilder,
  type GraphValue,
  type Layer,
  Module,
  type ParameterOwner,
  type Phase,
  type Random,
} from '@rcnn/core';
import * as tf from '@tensorflow/tfjs-core';

/** Maps pooled regions `[R, S, S, C]` to `[R, S, S, D]`. */
export interface KeypointHead extends Layer {
  readonly outChannels: number;
}

export interface KeypointHeadOptions {
  readonly inChannels: number;
  /** Channels of each convolution. Default eight times 512. */
  readonly channels?: readonly number[] | undefined;
  readonly random?: Random | undefined;
}

/** 3x3 convolutions with ReLU. @see He et al. 2017, section 5 (arXiv:1703.06870) */
export class KeypointRCNNHeads extends Module implements KeypointHead {
  readonly outChannels: number;
  readonly #convs: readonly Conv2d[];

  constructor({ inChannels, channels = Array.from({ length: 8 }, () => 512), random }: KeypointHeadOptions) {
    super();
    this.outChannels = channels.at(-1) ?? inChannels;
    this.#convs = channels.map((width, i) => {
      const conv = new Conv2d(channels[i - 1] ?? inChannels, width, { kernelSize: 3, activation: 'relu', random });
      return this.register(`${2 * i}`, conv); // the activations between have the odd numbers
    });
  }

  forward(x: tf.Tensor4D, phase?: Phase): tf.Tensor4D {
    return tf.tidy(() =>
      this.#convs.reduce((map, conv) => {
        const next = conv.forward(map, phase);
        if (map !== x) map.dispose(); // a tape keeps what it needs by itself
        return next;
      }, x),
    );
  }

  toGraph(graph: GraphBuilder, x: GraphValue): GraphValue {
    return this.#convs.reduce((map, conv) => conv.toGraph(graph, map), x);
  }
}

/** Turns maps of regions into one heatmap for each key point. */
export interface KeypointPredictor extends ParameterOwner {
  readonly numKeypoints: number;
  /** `[R, S, S, C]` to logits of places `[R, K, 4S, 4S]`. */
  forward(x: tf.Tensor4D, phase?: Phase): tf.Tensor4D;
}

/**
 * Transposed convolution 4x4 with stride 2, then bilinear to twice the size: 14 cells become 28 and 56.
 * @see He et al. 2017, section 5 (arXiv:1703.06870)
 */
export class KeypointRCNNPredictor extends Module implements KeypointPredictor {
  readonly numKeypoints: number;
  readonly #upsample: ConvTranspose2d;

  constructor(inChannels: number, numKeypoints: number, { random }: { random?: Random | undefined } = {}) {
    super();
    this.numKeypoints = numKeypoints;
    const upsample = new ConvTranspose2d(inChannels, numKeypoints, { kernelSize: 4, stride: 2, padding: 1, random });
    this.#upsample = this.register('kps_score_lowres', upsample);
  }

  forward(x: tf.Tensor4D, phase?: Phase): tf.Tensor4D {
    return tf.tidy(() => doubled(tf.transpose(this.#upsample.forward(x, phase), [0, 3, 2, 1])));
  }

  /** Maps `[R, 4S, 4S, K]`. */
  toGraph(graph: GraphBuilder, x: GraphValue): GraphValue {
    return graph.doubled(this.#upsample.toGraph(graph, x));
  }
}

/**
 * Maps `[R, K, w, h]` at twice the size, rows first: `[R, K, 2h, 2w]`. A product with a matrix of weights for each axis,
 * because TensorFlow.js has no gradient of its resize with half-pixel centers.
 */
function doubled(maps: tf.Tensor4D): tf.Tensor4D {
  const [count, points, width, height] = maps.shape;
  const down = tf.reshape(product(maps, height), [count, points, width, 2 * height]);
  const rows = tf.transpose(down, [0, 1, 3, 2]); // [R, K, 2h, w]
  return tf.reshape(product(rows, width), [count, points, 2 * height, 2 * width]);
}

/** The last axis of `size` cells at twice its size, in rows. */
function product(maps: tf.Tensor, size: number): tf.Tensor2D {
  return tf.matMul(tf.reshape(maps, [-1, size]) as tf.Tensor2D, bilinearDouble(size));
}

/** `[size, 2 size]`: a new cell is 3/4 of the cell it lies in and 1/4 of the next nearer one; edges are clamped. */
function bilinearDouble(size: number): tf.Tensor2D {
  const weights = new Float32Array(2 * size * size);
  for (let to = 0; to < 2 * size; to++) {
    const near = to >> 1;
    const next = Math.min(Math.max(to % 2 === 0 ? near - 1 : near + 1, 0), size - 1);
    weights[near * 2 * size + to]! += 0.75;
    weights[next * 2 * size + to]! += 0.25;
  }
  return tf.tensor2d(weights, [size, 2 * size]);
}

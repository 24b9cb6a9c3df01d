import { Conv2d, Module, type Pyramid, type Random, RcnnError, resizeBilinear } from '@rcnn/core';
import * as tf from '@tensorflow/tfjs-core';

export interface SemanticBranchOptions {
  /** Of every level of the pyramid. */
  readonly inChannels: number;
  /** Levels that are put together, finest first. Default 5. */
  readonly levels?: number | undefined;
  /** The level whose size the result has, counted from 0. Default 1: P3, a cell of 8 pixels. */
  readonly fusionLevel?: number | undefined;
  /** 3x3 convolutions after the sum. Default 4. */
  readonly depth?: number | undefined;
  /** Of every convolution, and of the embedding. Default `inChannels`, so that it can be added to the pyramid's. */
  readonly channels?: number | undefined;
  /** Kinds of places that are told apart. */
  readonly numClasses: number;
  readonly random?: Random | undefined;
}

/** What the branch says of a batch. The caller owns them. */
export interface SemanticMaps {
  /** `[N, H, W, classes]` */
  readonly logits: tf.Tensor4D;
  /** `[N, H, W, channels]`: what regions are given of it. */
  readonly embedding: tf.Tensor4D;
}

/**
 * Says of every cell what is there: all levels brought to one size, each through a 1x1 of its own, added, and refined.
 * Parameters carry mmdetection's names, `lateral_convs.{i}.conv`, `convs.{i}.conv`, `conv_embedding.conv`,
 * `conv_logits`.
 * @see Chen et al. 2019, section 3.3 and figure 4 (arXiv:1901.07518)
 */
export class SemanticBranch extends Module {
  readonly numClasses: number;
  /** Of the pyramid, counted from 0. */
  readonly fusionLevel: number;
  readonly #lateral: readonly Conv2d[];
  readonly #convs: readonly Conv2d[];
  readonly #embedding: Conv2d;
  readonly #logits: Conv2d;

  constructor({ inChannels, levels = 5, fusionLevel = 1, depth = 4, numClasses, ...options }: SemanticBranchOptions) {
    super();
    const { channels = inChannels, random } = options;
    const conv = (name: string, from: number, kernelSize: number): Conv2d =>
      this.register(name, new Conv2d(from, channels, { kernelSize, activation: 'relu', random }));
    this.numClasses = numClasses;
    this.fusionLevel = fusionLevel;
    this.#lateral = Array.from({ length: levels }, (_, i) => conv(`lateral_convs.${i}.conv`, inChannels, 1));
    this.#convs = Array.from({ length: depth }, (_, i) => conv(`convs.${i}.conv`, channels, 3));
    this.#embedding = conv('conv_embedding.conv', channels, 1);
    this.#logits = this.register('conv_logits', new Conv2d(channels, numClasses, { kernelSize: 1, random }));
  }

  /** @throws SHAPE_MISMATCH */
  forward(features: Pyramid): SemanticMaps {
    const [, height, width] = this.#fused(features).shape;
    return tf.tidy(() => {
      const levels = this.#lateral.map((lateral, i) => {
        // Corners stay where they are, as in the original. The resize comes first: the ReLU after it makes a difference.
        return lateral.forward(resizeBilinear(features[i]!, [height, width], { alignCorners: true }));
      });
      const map = this.#convs.reduce((below, conv) => conv.forward(below), tf.addN(levels) as tf.Tensor4D);
      return { logits: this.#logits.forward(map), embedding: this.#embedding.forward(map) };
    });
  }

  #fused(features: Pyramid): tf.Tensor4D {
    if (features.length >= this.#lateral.length) return features[this.fusionLevel]!;
    throw new RcnnError('SHAPE_MISMATCH', {
      where: 'SemanticBranch.forward',
      problem: 'the pyramid has too few levels',
      found: `${features.length}`,
      expected: `${this.#lateral.length}`,
    });
  }
}

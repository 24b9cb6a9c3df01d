import {
  Conv2d,
  type GraphBuilder,
  type GraphValue,
  type ImageSize,
  Module,
  normal,
  type ParameterOwner,
  type Phase,
  type Pyramid,
  type Random,
} from '@rcnn/core';
import * as tf from '@tensorflow/tfjs-core';

/** Raw outputs of the RPN head, per level, finest first. */
export interface RPNOutputs {
  /** Objectness before the sigmoid: `[N, Hi, Wi, A]`. */
  readonly logits: readonly tf.Tensor4D[];
  /** Encoded boxes, anchor-major: `[N, Hi, Wi, A * 4]`. */
  readonly deltas: readonly tf.Tensor4D[];
}

/** {@link RPNOutputs} read back. */
export interface HostRPNOutputs {
  /** `[Hi, Wi]` of each level. */
  readonly grids: readonly ImageSize[];
  readonly logits: readonly Float32Array[];
  readonly deltas: readonly Float32Array[];
}

/** Gives objectness and deltas for every anchor. {@link RPNHead} is one; inject your own into the RPN. */
export interface ProposalHead extends ParameterOwner {
  forward(features: Pyramid, phase?: Phase): RPNOutputs;
}

/** {@link RPNOutputs} of one image in a graph: maps `[1, Hi, Wi, A]` and `[1, Hi, Wi, A * 4]` of each level. */
export interface RPNGraphOutputs {
  readonly logits: readonly GraphValue[];
  readonly deltas: readonly GraphValue[];
}

/** A head of the RPN that can be exported. */
export interface WritableProposalHead {
  toGraph(graph: GraphBuilder, maps: readonly GraphValue[]): RPNGraphOutputs;
}

export interface RPNHeadOptions {
  /** 3x3 convolutions before the two outputs. Default 1; the v2 recipes take 2. */
  readonly convDepth?: number;
  /** Channels of these convolutions. Default those of the maps. */
  readonly hiddenChannels?: number | undefined;
  readonly random?: Random | undefined;
}

/**
 * The small network that slides over every level: 3x3 convolutions with ReLU, then objectness and deltas per anchor.
 * Shared by all levels.
 * @see Ren et al. 2015, section 3.1 and figure 3 (arXiv:1506.01497)
 */
export class RPNHead extends Module implements ProposalHead {
  readonly #convs: readonly Conv2d[];
  readonly #logits: Conv2d;
  readonly #deltas: Conv2d;

  constructor(channels: number, anchorsPerCell: number, options: RPNHeadOptions = {}) {
    super();
    const { convDepth = 1, hiddenChannels = channels, random } = options;
    const initialiser = normal(0.01);
    this.#convs = Array.from({ length: convDepth }, (_, i) =>
      this.register(
        `conv.${i}.0`,
        new Conv2d(i === 0 ? channels : hiddenChannels, hiddenChannels, {
          kernelSize: 3,
          activation: 'relu',
          initialiser,
          random,
        }),
      ),
    );
    const output = { kernelSize: 1, initialiser, random };
    this.#logits = this.register('cls_logits', new Conv2d(hiddenChannels, anchorsPerCell, output));
    this.#deltas = this.register('bbox_pred', new Conv2d(hiddenChannels, anchorsPerCell * 4, output));
  }

  /** The caller owns the result. */
  forward(features: Pyramid, phase: Phase = 'predict'): RPNOutputs {
    return tf.tidy(() => {
      const outputs = features.map((feature) => {
        const hidden = this.#convs.reduce((x, conv) => conv.forward(x, phase), feature);
        return { logits: this.#logits.forward(hidden, phase), deltas: this.#deltas.forward(hidden, phase) };
      });
      return { logits: outputs.map(({ logits }) => logits), deltas: outputs.map(({ deltas }) => deltas) };
    });
  }

  toGraph(graph: GraphBuilder, maps: readonly GraphValue[]): RPNGraphOutputs {
    const hidden = maps.map((map) => this.#convs.reduce<GraphValue>((x, conv) => conv.toGraph(graph, x), map));
    return {
      logits: hidden.map((x) => this.#logits.toGraph(graph, x)),
      deltas: hidden.map((x) => this.#deltas.toGraph(graph, x)),
    };
  }
}

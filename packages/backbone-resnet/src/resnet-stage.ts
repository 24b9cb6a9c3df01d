import { type BatchNormFactory, type Layer, Module, type Phase, type Random } from '@rcnn/core';
import * as tf from '@tensorflow/tfjs-core';
import { BasicBlock, Bottleneck, type ResidualBlock } from './blocks.ts';
import { type NormChoice, normFactory } from './resnet.ts';
import type { ResNetShape } from './variants.ts';

export interface ResNetStageOptions extends Omit<ResNetShape, 'blocks'> {
  readonly inChannels: number;
  /** Channels of the 3x3 convolutions. */
  readonly planes: number;
  /** How many blocks. */
  readonly blocks: number;
  /** Of the first block. Default 2. */
  readonly stride?: number | undefined;
  /** Where a bottleneck strides. Default `3x3`. */
  readonly strideIn?: '3x3' | '1x1' | undefined;
  /** Default `frozen`. */
  readonly norm?: NormChoice | undefined;
  readonly normEpsilon?: number | undefined;
  /** Makes the norms of `batch`. Default `BatchNorm`. */
  readonly batchNorm?: BatchNormFactory | undefined;
  readonly random?: Random | undefined;
}

/**
 * One stage of a ResNet alone, for heads that run it on every region: `[R, S, S, I]` to `[R, ceil(S / 2), …, O]`.
 * Children `0`, `1` and so on, each a block by torchvision's names. Norms learn only where they are no frozen ones.
 * @see He et al. 2015, appendix A (arXiv:1512.03385)
 */
export class ResNetStage extends Module implements Layer {
  readonly outChannels: number;
  readonly #blocks: readonly ResidualBlock[];

  constructor({ block, blocks, groups = 1, widthPerGroup = 64, strideIn = '3x3', ...options }: ResNetStageOptions) {
    super();
    const { inChannels, planes, stride = 2, random } = options;
    const norm = normFactory(options.norm ?? 'frozen', options.normEpsilon ?? 1e-5, options.batchNorm);
    const Block = block === 'basic' ? BasicBlock : Bottleneck;
    const shared = { planes, groups, widthPerGroup, strideIn, norm, random };
    const made: ResidualBlock[] = [];
    for (let i = 0; i < blocks; i++) {
      const place = { inChannels: made.at(-1)?.outChannels ?? inChannels, stride: i === 0 ? stride : 1 };
      made.push(this.register(String(i), new Block({ ...shared, ...place })));
    }
    this.#blocks = made;
    this.outChannels = made.at(-1)?.outChannels ?? inChannels;
  }

  forward(x: tf.Tensor4D, phase?: Phase): tf.Tensor4D {
    return tf.tidy(() =>
      this.#blocks.reduce((map, block) => {
        const next = block.forward(map, phase);
        if (map !== x) map.dispose(); // a tape keeps what it needs by itself
        return next;
      }, x),
    );
  }
}

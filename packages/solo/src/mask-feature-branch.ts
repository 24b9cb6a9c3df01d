import { type ImageSize, Module, type Phase, type Pyramid, resizeBilinear } from '@rcnn/core';
import * as tf from '@tensorflow/tfjs-core';
import { ConvGroupNorm, type LayerOptions } from './conv-tower.ts';
import { withCoordinates } from './coordinates.ts';
import { sizeOf } from './levels.ts';

/** Levels that the branch sums up: P2 to P5. */
const LEVELS = 4;

export interface MaskFeatureOptions extends LayerOptions {
  /** Of the pyramid. */
  readonly inChannels: number;
  /** Inside of the branch. */
  readonly channels: number;
  readonly outChannels: number;
}

/**
 * One map of mask features for all objects of an image: each level of the pyramid is brought to the size of P2 step by
 * step, the coarsest knows where its cells are, and the sum is mixed by a 1x1 convolution.
 * @see Wang et al. 2020, section 3.3 and figure 3 (arXiv:2003.10152)
 */
export class MaskFeatureBranch extends Module {
  readonly #levels: readonly (readonly ConvGroupNorm[])[];
  readonly #mix: ConvGroupNorm;

  constructor({ inChannels, channels, outChannels, ...options }: MaskFeatureOptions) {
    super();
    this.#levels = Array.from({ length: LEVELS }, (_, level) =>
      Array.from({ length: Math.max(1, level) }, (_, j) => {
        const first = inChannels + (level === LEVELS - 1 ? 2 : 0);
        const layer = new ConvGroupNorm(j === 0 ? first : channels, channels, { ...options, kernelSize: 3 });
        return this.register(`convs_all_levels.${level}.conv${j}`, layer);
      }),
    );
    this.#mix = this.register('conv_pred', new ConvGroupNorm(channels, outChannels, { ...options, kernelSize: 1 }));
  }

  /** P2 to P5 (what is beyond is left) to `[N, H / 4, W / 4, outChannels]`. */
  forward(features: Pyramid, phase?: Phase): tf.Tensor4D {
    return tf.tidy(() => {
      const sizes = features.map(sizeOf);
      const parts = this.#levels.map((layers, level) => {
        const map = features[level]!;
        return climb(level === LEVELS - 1 ? withCoordinates(map) : map, layers, sizes.slice(0, level), phase);
      });
      return this.#mix.forward(tf.addN(parts), phase);
    });
  }
}

/** A convolution for each step to the next finer size; at the finest there is one, and no step. */
function climb(
  start: tf.Tensor4D,
  layers: readonly ConvGroupNorm[],
  finer: readonly ImageSize[],
  phase: Phase | undefined,
): tf.Tensor4D {
  let map = start;
  for (const [j, layer] of layers.entries()) {
    map = layer.forward(map, phase);
    const size = finer[finer.length - 1 - j];
    if (size !== undefined) map = resizeBilinear(map, size);
  }
  return map;
}

import {
  Conv2d,
  ConvNorm,
  constant,
  type FeatureSpec,
  kaimingUniform,
  type Layer,
  Module,
  type NormFactory,
  type Phase,
  type Pyramid,
  type Random,
  RcnnError,
} from '@rcnn/core';
import * as tf from '@tensorflow/tfjs-core';
import type { ExtraLevels } from './extra-levels.ts';

export interface FPNOptions {
  /** Channels of every output map. Default 256, as in the paper. */
  readonly outChannels?: number;
  /** A norm after each convolution, which then has no bias (torchvision's v2 models). Default none. */
  readonly norm?: NormFactory | undefined;
  /** Coarser levels on top: `poolExtra()` for Mask R-CNN, `p6p7Extra()` for RetinaNet. Default none. */
  readonly extra?: ExtraLevels | undefined;
  /** Draws the first weights. Default the stream of `seedLayers`. */
  readonly random?: Random | undefined;
}

/**
 * Feature Pyramid Network: carries coarse meaning down into fine detail.
 * Shapes: N images; level i has [Hi, Wi] cells, Ci channels in and D out.
 * Parameters carry torchvision's names: `inner_blocks.{i}.0` (1x1) and `layer_blocks.{i}.0` (3x3), norms under `.1`.
 * @see Lin et al. 2017, section 3 and figure 3 (arXiv:1612.03144)
 */
export class FPN extends Module {
  readonly outputs: readonly FeatureSpec[];
  readonly #inputs: readonly FeatureSpec[];
  readonly #lateral: readonly Merge[];
  readonly #smooth: readonly Merge[];
  readonly #extra: ExtraLevels | undefined;

  /** @param inputs channels and stride of each level, finest first: any `backbone.outputs` */
  constructor(
    inputs: readonly FeatureSpec[],
    { outChannels = 256, norm, extra, random }: FPNOptions = {},
  ) {
    super();
    this.#inputs = inputs;
    const merge = (name: string, channels: number, kernelSize: number): Merge => {
      const part = new Merge(channels, outChannels, kernelSize, norm, random);
      return this.register(name, part);
    };
    this.#lateral = inputs.map(({ channels }, i) => merge(`inner_blocks.${i}`, channels, 1));
    this.#smooth = inputs.map((_, i) => merge(`layer_blocks.${i}`, outChannels, 3));
    const outputs = inputs.map(({ stride }) => ({ stride, channels: outChannels }));
    this.#extra = extra?.attach?.(inputs.at(-1)!, outputs.at(-1)!, random) ?? extra;
    if (this.#extra !== undefined) this.register('extra_blocks', this.#extra);
    this.outputs = [...outputs, ...(this.#extra?.outputs(outputs.at(-1)!) ?? [])];
  }
}

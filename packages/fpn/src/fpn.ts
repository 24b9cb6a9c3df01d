import {
  Conv2d,
  type Conv2dOptions,
  ConvNorm,
  type FeatureSpec,
  type FusedActivation,
  type GraphBuilder,
  type GraphValue,
  type Initialiser,
  kaimingUniform,
  type Layer,
  Module,
  type NormFactory,
  type Phase,
  type Pyramid,
  type Random,
  RcnnError,
  resizeBilinear,
  type ToGraph,
  writable,
} from '@rcnn/core';
import * as tf from '@tensorflow/tfjs-core';
import type { ExtraLevels, ExtraLevelsFactory } from './extra-levels.ts';

export interface FPNOptions {
  /** Channels of every output map. Default 256, as in the paper. */
  readonly outChannels?: number;
  /** A norm after each convolution, which then has no bias (torchvision's v2 models). Default none. */
  readonly norm?: NormFactory | undefined;
  /** Coarser levels on top: `poolExtra` for Mask R-CNN, `p6p7Extra()` for RetinaNet. Default none. */
  readonly extra?: ExtraLevelsFactory | undefined;
  /** How a coarse map is stretched over the finer one. Default `nearest`, as in the paper; YOLACT has `bilinear`. */
  readonly topDown?: 'nearest' | 'bilinear' | undefined;
  /** After the last convolution of every level but the extra ones. Default `linear`; YOLACT has `relu`. */
  readonly activation?: FusedActivation | undefined;
  /** Of all convolutions. Default uniform within `sqrt(3 / fanIn)`, as in torchvision. */
  readonly initialiser?: Initialiser | undefined;
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
  readonly #lateral: readonly (Layer & ToGraph)[];
  readonly #smooth: readonly (Layer & ToGraph)[];
  readonly #extra: ExtraLevels | undefined;
  readonly #topDown: 'nearest' | 'bilinear';

  /** @param inputs channels and stride of each level, finest first: any `backbone.outputs` */
  constructor(inputs: readonly FeatureSpec[], options: FPNOptions = {}) {
    super();
    const { outChannels = 256, extra, topDown = 'nearest', activation = 'linear', random } = options;
    const { norm, initialiser = kaimingUniform(1) } = options;
    const conv = (kernelSize: number, channels: number, after: FusedActivation): Layer & ToGraph => {
      const settings = { kernelSize, initialiser, random };
      return norm === undefined
        ? new PlainConv(channels, outChannels, { ...settings, activation: after })
        : new NormedConv(channels, outChannels, settings, norm, after);
    };
    this.#inputs = inputs;
    this.#topDown = topDown;
    this.#lateral = inputs.map(({ channels }, i) => this.register(`inner_blocks.${i}`, conv(1, channels, 'linear')));
    this.#smooth = inputs.map((_, i) => this.register(`layer_blocks.${i}`, conv(3, outChannels, activation)));
    const outputs = inputs.map(({ stride }) => ({ stride, channels: outChannels }));
    this.#extra = extra?.({ inputs, outputs, initialiser, random });
    if (this.#extra !== undefined) this.register('extra_blocks', this.#extra);
    this.outputs = [...outputs, ...(this.#extra?.outputs ?? [])];
  }

  /** Maps `[N, Hi, Wi, Ci]` to `[N, Hi, Wi, D]`, level by level, and adds the extra ones. The caller owns the result. */
  forward(features: Pyramid, phase: Phase = 'predict'): Pyramid {
    checkPyramid('FPN.forward', features, this.#inputs);
    return tf.tidy(() => {
      const maps: tf.Tensor4D[] = [];
      let merged: tf.Tensor4D | undefined;
      for (let i = features.length - 1; i >= 0; i--) {
        const lateral = this.#lateral[i]!.forward(features[i]!, phase); // [N, Hi, Wi, D]
        const finer = merged === undefined ? lateral : addUpsampled(lateral, merged, this.#topDown);
        merged?.dispose(); // a tape keeps what it needs by itself
        if (finer !== lateral) lateral.dispose();
        merged = finer;
        maps.unshift(this.#smooth[i]!.forward(merged, phase)); // [N, Hi, Wi, D]
      }
      return [...maps, ...(this.#extra?.forward(maps, features, phase) ?? [])];
    });
  }

  /** @throws EXPORT_UNSUPPORTED when the extra levels have no `toGraph`, or maps are stretched bilinearly */
  toGraph(graph: GraphBuilder, features: readonly GraphValue[]): GraphValue[] {
    if (this.#topDown !== 'nearest') {
      throw new RcnnError('EXPORT_UNSUPPORTED', {
        where: 'FPN.toGraph',
        place: 'topDown',
        problem: 'this way of stretching a map cannot be written as a graph yet',
        found: this.#topDown,
        expected: 'nearest',
      });
    }
    const maps: GraphValue[] = [];
    let merged: GraphValue | undefined;
    for (let i = features.length - 1; i >= 0; i--) {
      const lateral = this.#lateral[i]!.toGraph(graph, features[i]!);
      merged = merged === undefined ? lateral : graph.add(lateral, graph.upsampleLike(merged, lateral));
      maps.unshift(this.#smooth[i]!.toGraph(graph, merged));
    }
    const extra = this.#extra && writable<ExtraLevels, Required<Pick<ExtraLevels, 'toGraph'>>>(this.#extra);
    return [...maps, ...(extra?.toGraph(graph, maps, features) ?? [])];
  }
}

/** `fine + coarse`, the coarse map stretched to the finer one's size: x2 would be wrong when that is odd. */
function addUpsampled(fine: tf.Tensor4D, coarse: tf.Tensor4D, rule: 'nearest' | 'bilinear'): tf.Tensor4D {
  const [, height, width] = fine.shape;
  const size: [number, number] = [height, width];
  const resize = rule === 'bilinear' ? resizeBilinear : tf.image.resizeNearestNeighbor<tf.Tensor4D>;
  return tf.tidy(() => tf.add(fine, resize(coarse, size)));
}

/** A convolution with a bias, under the name `0`. */
class PlainConv extends Module implements Layer, ToGraph {
  readonly #conv: Conv2d;

  constructor(inChannels: number, outChannels: number, options: Conv2dOptions) {
    super();
    this.#conv = this.register('0', new Conv2d(inChannels, outChannels, options));
  }

  forward(x: tf.Tensor4D, phase?: Phase): tf.Tensor4D {
    return this.#conv.forward(x, phase);
  }

  toGraph(graph: GraphBuilder, x: GraphValue): GraphValue {
    return this.#conv.toGraph(graph, x);
  }
}

/** A convolution without bias under the name `0`, its norm under `1`. */
class NormedConv extends Module implements Layer, ToGraph {
  readonly #fold: ConvNorm;

  constructor(
    inChannels: number,
    outChannels: number,
    options: Conv2dOptions,
    norm: NormFactory,
    activation: FusedActivation,
  ) {
    super();
    const conv = this.register('0', new Conv2d(inChannels, outChannels, { ...options, bias: false }));
    this.#fold = new ConvNorm(conv, this.register('1', norm(outChannels)), activation);
  }

  forward(x: tf.Tensor4D, phase?: Phase): tf.Tensor4D {
    return this.#fold.forward(x, phase);
  }

  toGraph(graph: GraphBuilder, x: GraphValue): GraphValue {
    return this.#fold.toGraph(graph, x);
  }

  override dispose(): void {
    this.#fold.dispose();
    super.dispose();
  }
}

function checkPyramid(where: string, features: Pyramid, inputs: readonly FeatureSpec[]): void {
  const hint = 'Was this FPN built from this backbone’s outputs?';
  if (features.length !== inputs.length) {
    throw new RcnnError('SHAPE_MISMATCH', {
      where,
      problem: 'wrong number of levels',
      found: `${features.length}`,
      expected: `${inputs.length}`,
      hint,
    });
  }
  for (const [i, { channels, stride }] of inputs.entries()) {
    const { shape } = features[i]!;
    if (shape.length === 4 && shape[3] === channels) continue;
    throw new RcnnError('SHAPE_MISMATCH', {
      where,
      place: `level ${i}, stride ${stride}`,
      problem: 'wrong shape',
      found: `[${shape.join(',')}]`,
      expected: `${channels} channels`,
      hint,
    });
  }
}

import type * as tf from '@tensorflow/tfjs-core';
import type { FusedActivation } from './autograd/fused-gradients.ts';
import { RcnnError } from './errors.ts';
import type { Parameter, ParameterLayout } from './parameter.ts';

/** What flows through a network that is written down: maps `[N, H, W, C]` or rows `[R, C]`. Only the builder looks inside. */
export interface GraphValue {
  readonly name: string;
}

/** Numbers of a layer, for a graph: `value` may be another than the parameter's own, such as a folded shift. */
export interface GraphWeight {
  /** Gives the numbers their name. */
  readonly parameter: Parameter;
  /** In the parameter's layout. Default its value. The caller keeps it. */
  readonly value?: tf.Tensor | undefined;
  /** A factor for each output channel, our last axis: so a norm is folded into a filter. The caller keeps it. */
  readonly scale?: tf.Tensor | undefined;
  /** Default the parameter's own. */
  readonly layout?: ParameterLayout | undefined;
}

export interface GraphConvolution {
  readonly weight: GraphWeight;
  readonly bias?: GraphWeight | undefined;
  readonly stride: number;
  /** On every side, in cells. */
  readonly padding: number;
  readonly dilation: number;
  readonly groups: number;
  readonly activation: FusedActivation;
}

export interface GraphTransposedConvolution {
  readonly weight: GraphWeight;
  readonly bias?: GraphWeight | undefined;
  readonly stride: number;
  readonly padding: number;
}

export interface GraphDense {
  readonly weight: GraphWeight;
  readonly bias?: GraphWeight | undefined;
  readonly activation: FusedActivation;
}

/** A 1x1 convolution of which each region needs the outputs of its own class alone. */
export interface GraphClassConvolution {
  /** `[1, 1, C, K]` */
  readonly weight: GraphWeight;
  /** `[K]` */
  readonly bias: GraphWeight;
}

/**
 * Writes a network down for another program. A block writes itself by a method `toGraph` beside `forward`, which says the
 * same in these words; how maps are laid out in memory there is the builder's business. Weights are constants of the
 * graph, batch norms are folded, sizes stay open.
 */
export interface GraphBuilder {
  convolution(x: GraphValue, options: GraphConvolution): GraphValue;
  transposedConvolution(x: GraphValue, options: GraphTransposedConvolution): GraphValue;
  /** Rows `[R, I]` to `[R, O]`. */
  dense(x: GraphValue, options: GraphDense): GraphValue;
  /** Mask logits of one class per region: maps `[R, H, W, C]` and labels `[R]` to `[R, H, W]`. */
  classConvolution(x: GraphValue, labels: GraphValue, options: GraphClassConvolution): GraphValue;
  maxPool(
    x: GraphValue,
    options: { readonly kernelSize: number; readonly stride: number; readonly padding: number },
  ): GraphValue;
  add(a: GraphValue, b: GraphValue): GraphValue;
  /** Element by element; sizes of 1 stretch, as those of a factor per channel do. */
  multiply(a: GraphValue, b: GraphValue): GraphValue;
  relu(x: GraphValue): GraphValue;
  /** `clip(x / 6 + 1/2, 0, 1)` */
  hardSigmoid(x: GraphValue): GraphValue;
  /** `x · hardSigmoid(x)` */
  hardSwish(x: GraphValue): GraphValue;
  /** The mean over rows and columns: maps `[N, H, W, C]` to `[N, 1, 1, C]`. */
  globalMean(x: GraphValue): GraphValue;
  /** Stretches `x` to the height and width of `like` by taking the nearest cell: `floor(i * old / new)`. */
  upsampleLike(x: GraphValue, like: GraphValue): GraphValue;
  /** Stretches `x` to twice its height and width: bilinear, half-pixel centers, clamped edges. */
  doubled(x: GraphValue): GraphValue;
  /** Joins the channels of maps of one size, or of rows. */
  joinChannels(values: readonly GraphValue[]): GraphValue;
  /** Maps `[R, H, W, C]` as one row each. */
  flatten(x: GraphValue): GraphValue;
  /** Rows `[R, C * H * W]`, the class slowest, as maps `[R, H, W, C]`. */
  unflatten(x: GraphValue, size: { readonly height: number; readonly width: number }): GraphValue;
}

/** A block with one input and one output that can be written down. */
export interface ToGraph {
  toGraph(graph: GraphBuilder, x: GraphValue): GraphValue;
}

/** A backbone that can be written down: gives its levels, finest first. */
export interface WritableBackbone {
  toGraph(graph: GraphBuilder, image: GraphValue): GraphValue[];
}

/**
 * A part as one that can be written down.
 * @throws EXPORT_UNSUPPORTED naming its class, when it has no `toGraph`
 */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the caller knows which form of toGraph its part has
export function writable<Part extends object, Method extends object = ToGraph>(part: Part): Part & Method {
  if (typeof (part as { toGraph?: unknown }).toGraph === 'function') return part as Part & Method;
  throw new RcnnError('EXPORT_UNSUPPORTED', {
    where: 'toGraph',
    place: part.constructor.name,
    problem: 'this block cannot be written as a graph',
    expected: "a method 'toGraph' beside 'forward'",
    hint: 'Give your block one: it says in the words of GraphBuilder what forward says in those of tfjs.',
  });
}

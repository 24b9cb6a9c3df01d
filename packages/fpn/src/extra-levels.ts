import {
  Conv2d,
  type Conv2dOptions,
  type FeatureSpec,
  type GraphBuilder,
  type GraphValue,
  type Initialiser,
  Module,
  type ParameterOwner,
  type Phase,
  type Pyramid,
  type Random,
} from '@rcnn/core';
import * as tf from '@tensorflow/tfjs-core';

/** Coarser levels on top of a pyramid. */
export interface ExtraLevels extends ParameterOwner {
  /** The levels that are added, finest first. */
  readonly outputs: readonly FeatureSpec[];
  /**
   * @param maps the pyramid's own output maps
   * @param inputs what the pyramid was given
   * @returns the added maps; the caller owns them
   */
  forward(maps: Pyramid, inputs: Pyramid, phase?: Phase): tf.Tensor4D[];
  /** The same for a graph; without it the pyramid cannot be exported. */
  toGraph?(graph: GraphBuilder, maps: readonly GraphValue[], inputs: readonly GraphValue[]): GraphValue[];
}

/** Makes extra levels for a pyramid of these inputs and outputs. */
export type ExtraLevelsFactory = (context: {
  readonly inputs: readonly FeatureSpec[];
  readonly outputs: readonly FeatureSpec[];
  /** The pyramid's own. */
  readonly initialiser: Initialiser;
  readonly random: Random | undefined;
}) => ExtraLevels;

/** P6 of Mask R-CNN: every second cell of P5. For large anchors; RoIs are never pooled from it. */
export const poolExtra: ExtraLevelsFactory = ({ outputs }) => {
  const { channels, stride } = outputs.at(-1)!;
  return {
    outputs: [{ channels, stride: stride * 2 }],
    // A 1x1 max-pool of stride 2 picks cells, so a slice would do, but only the pool has a gradient everywhere.
    forward: (maps) => [tf.maxPool(maps.at(-1)!, 1, 2, 'valid')],
    toGraph: (graph, maps) => [graph.maxPool(maps.at(-1)!, { kernelSize: 1, stride: 2, padding: 0 })],
    namedParameters: () => new Map(),
    dispose: () => {},
  };
};

export interface P6P7Options {
  /** Whether P7 is made from what is positive of P6. Default true, as in RetinaNet; YOLACT has no ReLU there. */
  readonly relu?: boolean | undefined;
}

/**
 * P6 and P7 of RetinaNet: a 3x3 convolution of stride 2, then ReLU and another.
 * @param from `output`: from the pyramid's P5; `input`: from the backbone's C5. Default `output`.
 * @see Lin et al. 2017, section 4 (arXiv:1708.02002)
 */
export function p6p7Extra(from: 'output' | 'input' = 'output', { relu = true }: P6P7Options = {}): ExtraLevelsFactory {
  return ({ inputs, outputs, initialiser, random }) => {
    return new P6P7(from, relu, inputs.at(-1)!, outputs.at(-1)!, { kernelSize: 3, stride: 2, initialiser, random });
  };
}

class P6P7 extends Module implements ExtraLevels {
  readonly outputs: readonly FeatureSpec[];
  readonly #from: 'output' | 'input';
  readonly #relu: boolean;
  readonly #p6: Conv2d;
  readonly #p7: Conv2d;

  constructor(
    from: 'output' | 'input',
    relu: boolean,
    input: FeatureSpec,
    output: FeatureSpec,
    options: Conv2dOptions,
  ) {
    super();
    const { channels, stride } = output;
    this.#from = from;
    this.#relu = relu;
    this.#p6 = this.register('p6', new Conv2d(from === 'input' ? input.channels : channels, channels, options));
    this.#p7 = this.register('p7', new Conv2d(channels, channels, options));
    this.outputs = [
      { channels, stride: stride * 2 },
      { channels, stride: stride * 4 },
    ];
  }

  forward(maps: Pyramid, inputs: Pyramid): tf.Tensor4D[] {
    return tf.tidy(() => {
      const p6 = this.#p6.forward((this.#from === 'input' ? inputs : maps).at(-1)!);
      return [p6, this.#p7.forward(this.#relu ? tf.relu(p6) : p6)];
    });
  }

  toGraph(graph: GraphBuilder, maps: readonly GraphValue[], inputs: readonly GraphValue[]): GraphValue[] {
    const p6 = this.#p6.toGraph(graph, (this.#from === 'input' ? inputs : maps).at(-1)!);
    return [p6, this.#p7.toGraph(graph, this.#relu ? graph.relu(p6) : p6)];
  }
}

import type {
  GraphBuilder,
  GraphClassConvolution,
  GraphConvolution,
  GraphDense,
  GraphTransposedConvolution,
  GraphValue,
} from '@rcnn/core';
import type { OnnxWriter } from './writer.ts';

/** The layers of a network as ONNX nodes. Maps are channels-first there: `[N, C, H, W]`. */
export class OnnxLayers implements GraphBuilder {
  readonly #graph: OnnxWriter;

  constructor(graph: OnnxWriter) {
    this.#graph = graph;
  }

  convolution(x: GraphValue, options: GraphConvolution): GraphValue {
    const { weight, bias, stride, padding, dilation, groups, activation } = options;
    const inputs = [x.name, this.#graph.weight(weight), ...(bias ? [this.#graph.weight(bias)] : [])];
    const value = this.#graph.node('Conv', inputs, {
      strides: [stride, stride],
      pads: allSides(padding),
      dilations: [dilation, dilation],
      group: groups,
    });
    return this.#activate(value, activation);
  }

  transposedConvolution(x: GraphValue, options: GraphTransposedConvolution): GraphValue {
    const { weight, bias, stride, padding } = options;
    const inputs = [x.name, this.#graph.weight(weight), ...(bias ? [this.#graph.weight(bias)] : [])];
    return named(this.#graph.node('ConvTranspose', inputs, { strides: [stride, stride], pads: allSides(padding) }));
  }

  dense(x: GraphValue, { weight, bias, activation }: GraphDense): GraphValue {
    const inputs = [x.name, this.#graph.weight(weight), ...(bias ? [this.#graph.weight(bias)] : [])];
    return this.#activate(this.#graph.node('Gemm', inputs, { transB: 1 }), activation);
  }

  /** Each region's filter, one row, times its map, one column a cell: the other classes are never computed. */
  classConvolution(x: GraphValue, labels: GraphValue, { weight, bias }: GraphClassConvolution): GraphValue {
    const graph = this.#graph;
    const filters = graph.node('Flatten', [graph.weight(weight)]); // [K, C]
    const row = graph.node('Unsqueeze', [graph.node('Gather', [filters, labels.name]), graph.int64([1])]); // [R, 1, C]
    const channels = graph.node('Shape', [x.name], { start: 0, end: 2 });
    const sides = graph.node('Shape', [x.name], { start: 2, end: 4 });
    const cells = graph.node('Concat', [channels, graph.node('ReduceProd', [sides], { keepdims: 1 })], { axis: 0 });
    const logits = graph.node('MatMul', [row, graph.node('Reshape', [x.name, cells])]); // [R, 1, H * W]
    const regions = graph.node('Shape', [x.name], { start: 0, end: 1 });
    const shape = graph.node('Concat', [regions, sides], { axis: 0 });
    const shift = graph.node('Gather', [graph.weight(bias), labels.name]); // [R]
    const perMap = graph.node('Unsqueeze', [shift, graph.int64([1, 2])]);
    return named(graph.node('Add', [graph.node('Reshape', [logits, shape]), perMap]));
  }

  maxPool(
    x: GraphValue,
    { kernelSize, stride, padding }: { kernelSize: number; stride: number; padding: number },
  ): GraphValue {
    return named(
      this.#graph.node('MaxPool', [x.name], {
        kernel_shape: [kernelSize, kernelSize],
        strides: [stride, stride],
        pads: allSides(padding),
      }),
    );
  }

  add(a: GraphValue, b: GraphValue): GraphValue {
    return named(this.#graph.node('Add', [a.name, b.name]));
  }

  multiply(a: GraphValue, b: GraphValue): GraphValue {
    return named(this.#graph.node('Mul', [a.name, b.name]));
  }

  relu(x: GraphValue): GraphValue {
    return named(this.#graph.node('Relu', [x.name]));
  }

  hardSigmoid(x: GraphValue): GraphValue {
    return named(this.#graph.node('HardSigmoid', [x.name], { alpha: { float: 1 / 6 }, beta: { float: 0.5 } }));
  }

  hardSwish(x: GraphValue): GraphValue {
    return named(this.#graph.node('HardSwish', [x.name]));
  }

  globalMean(x: GraphValue): GraphValue {
    return named(this.#graph.node('GlobalAveragePool', [x.name]));
  }

  upsampleLike(x: GraphValue, like: GraphValue): GraphValue {
    const graph = this.#graph;
    const channels = graph.node('Shape', [x.name], { start: 0, end: 2 });
    const sides = graph.node('Shape', [like.name], { start: 2, end: 4 });
    const sizes = graph.node('Concat', [channels, sides], { axis: 0 });
    return named(
      graph.node('Resize', [x.name, '', '', sizes], {
        mode: 'nearest',
        coordinate_transformation_mode: 'asymmetric',
        nearest_mode: 'floor',
      }),
    );
  }

  doubled(x: GraphValue): GraphValue {
    const scales = this.#graph.float32([1, 1, 2, 2]);
    return named(
      this.#graph.node('Resize', [x.name, '', scales], {
        mode: 'linear',
        coordinate_transformation_mode: 'half_pixel',
      }),
    );
  }

  joinChannels(values: readonly GraphValue[]): GraphValue {
    const names = values.map(({ name }) => name);
    return named(this.#graph.node('Concat', names, { axis: 1 }));
  }

  flatten(x: GraphValue): GraphValue {
    return named(this.#graph.node('Flatten', [x.name]));
  }

  unflatten(x: GraphValue, { height, width }: { height: number; width: number }): GraphValue {
    return named(this.#graph.node('Reshape', [x.name, this.#graph.int64([0, -1, height, width])]));
  }

  #activate(value: string, activation: GraphConvolution['activation']): GraphValue {
    if (activation === 'linear') return named(value);
    if (activation === 'relu') return named(this.#graph.node('Relu', [value]));
    return named(this.#graph.node('Clip', [value, this.#graph.float32([0], []), this.#graph.float32([6], [])]));
  }
}

const named = (name: string): GraphValue => ({ name });

const allSides = (padding: number): number[] => [padding, padding, padding, padding];

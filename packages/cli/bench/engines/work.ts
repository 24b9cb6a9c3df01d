/** What is timed: the convolutions of ResNet-50 FPN on one image, and the other kernels of a training step. */
import { convolution } from '@rcnn/core';
import * as tf from '@tensorflow/tfjs-core';

export type Pass = 'forward' | 'input gradient' | 'filter gradient';

export interface ConvShape {
  readonly name: string;
  /** Height and width of the input. */
  readonly size: readonly [number, number];
  readonly inChannels: number;
  readonly outChannels: number;
  readonly kernel: number;
  readonly stride: number;
}

/** The 12 shapes of ResNet-50 FPN at 800x1216 that make up most of its arithmetic. */
export const CONVOLUTIONS: readonly ConvShape[] = [
  { name: 'stem', size: [800, 1216], inChannels: 3, outChannels: 64, kernel: 7, stride: 2 },
  { name: 'layer1 expand', size: [200, 304], inChannels: 64, outChannels: 256, kernel: 1, stride: 1 },
  { name: 'layer1 3x3', size: [200, 304], inChannels: 64, outChannels: 64, kernel: 3, stride: 1 },
  { name: 'layer2 stride 2', size: [200, 304], inChannels: 128, outChannels: 128, kernel: 3, stride: 2 },
  { name: 'layer2 reduce', size: [100, 152], inChannels: 512, outChannels: 128, kernel: 1, stride: 1 },
  { name: 'layer2 3x3', size: [100, 152], inChannels: 128, outChannels: 128, kernel: 3, stride: 1 },
  { name: 'layer3 reduce', size: [50, 76], inChannels: 1024, outChannels: 256, kernel: 1, stride: 1 },
  { name: 'layer3 3x3', size: [50, 76], inChannels: 256, outChannels: 256, kernel: 3, stride: 1 },
  { name: 'layer4 reduce', size: [25, 38], inChannels: 2048, outChannels: 512, kernel: 1, stride: 1 },
  { name: 'layer4 3x3', size: [25, 38], inChannels: 512, outChannels: 512, kernel: 3, stride: 1 },
  { name: 'FPN lateral P2', size: [200, 304], inChannels: 256, outChannels: 256, kernel: 1, stride: 1 },
  { name: 'FPN, RPN 3x3 P2', size: [200, 304], inChannels: 256, outChannels: 256, kernel: 3, stride: 1 },
];

/** Depthwise shapes of MobileNet at 800x1216, and dense ones of the same size to hold them against. */
export const DEPTHWISE: readonly ConvShape[] = [
  { name: 'MobileNetV2 block 4', size: [100, 152], inChannels: 144, outChannels: 144, kernel: 3, stride: 1 },
  { name: 'MobileNetV2 block 4, /2', size: [200, 304], inChannels: 96, outChannels: 96, kernel: 3, stride: 2 },
  { name: 'MobileNetV2 block 8', size: [50, 76], inChannels: 384, outChannels: 384, kernel: 3, stride: 1 },
  { name: 'MobileNetV3 block 13', size: [25, 38], inChannels: 672, outChannels: 672, kernel: 5, stride: 1 },
  { name: 'small maps', size: [64, 64], inChannels: 64, outChannels: 64, kernel: 3, stride: 1 },
];

/** The 3x3 convolutions of ResNeXt-50 32x4d at 800x1216, in 32 groups. */
export const GROUPED: readonly ConvShape[] = [
  { name: 'ResNeXt-50 layer1', size: [200, 304], inChannels: 128, outChannels: 128, kernel: 3, stride: 1 },
  { name: 'ResNeXt-50 layer2', size: [100, 152], inChannels: 256, outChannels: 256, kernel: 3, stride: 1 },
  { name: 'ResNeXt-50 layer3', size: [50, 76], inChannels: 512, outChannels: 512, kernel: 3, stride: 1 },
  { name: 'ResNeXt-50 layer4', size: [25, 38], inChannels: 1024, outChannels: 1024, kernel: 3, stride: 1 },
];

/** Something to time. `peer` describes it to a peer outside of tfjs. */
export interface Work {
  readonly group: string;
  readonly name: string;
  /** Multiplications and additions, where that is the measure. */
  readonly operations?: number;
  readonly needs: 'predict' | 'train';
  /** The `cpu` backend would need minutes. */
  readonly long?: boolean;
  readonly peer?: Readonly<Record<string, unknown>>;
  /** Makes the inputs on the current backend. */
  inputs(): tf.Tensor[];
  run(inputs: tf.Tensor[]): tf.Tensor;
}

const even = (extent: number, stride: number): number => Math.ceil(extent / stride);

export function convolutionWork(shape: ConvShape, pass: Pass): Work {
  const { size, inChannels, outChannels, kernel, stride, name } = shape;
  const [h, w] = size;
  const out: [number, number] = [even(h, stride), even(w, stride)];
  const pad = (kernel - 1) / 2;
  const xShape: [number, number, number, number] = [1, h, w, inChannels];
  const filterShape: [number, number, number, number] = [kernel, kernel, inChannels, outChannels];
  const dyShape = [1, ...out, outChannels];
  const attrs = { strides: stride, pad, dataFormat: 'NHWC', dimRoundingMode: undefined };
  const kernelOf = (kernelName: string, inputs: object, extra: object) =>
    tf.engine().runKernel(kernelName, inputs as tf.NamedTensorMap, { ...attrs, ...extra } as never) as tf.Tensor;
  const passes: Record<Pass, Pick<Work, 'inputs' | 'run'>> = {
    forward: {
      inputs: () => [random(xShape, 1), random(filterShape, 2)],
      run: ([x, filter]) => tf.conv2d(x as tf.Tensor4D, filter as tf.Tensor4D, stride, pad),
    },
    'input gradient': {
      inputs: () => [random(dyShape, 3), random(filterShape, 2)],
      run: ([dy, filter]) => kernelOf(tf.Conv2DBackpropInput, { dy, filter }, { inputShape: xShape }),
    },
    'filter gradient': {
      inputs: () => [random(xShape, 1), random(dyShape, 3)],
      run: ([x, dy]) => kernelOf(tf.Conv2DBackpropFilter, { x, dy }, { filterShape }),
    },
  };
  return {
    group: `convolution, ${pass}`,
    name: `${name}: ${kernel}x${kernel} ${inChannels}-${outChannels}${stride > 1 ? ` /${stride}` : ''} of ${h}x${w}`,
    operations: 2 * out[0] * out[1] * kernel * kernel * inChannels * outChannels,
    needs: pass === 'forward' ? 'predict' : 'train',
    long: true,
    peer: { op: 'conv', pass, h, w, in: inChannels, out: outChannels, kernel, stride },
    ...passes[pass],
  };
}

/** A depthwise convolution: each channel by itself, so that its arithmetic is that of a dense one by the channels. */
export function depthwiseWork({ size: [h, w], inChannels: c, kernel, stride, name }: ConvShape, pass: Pass): Work {
  const out: [number, number] = [even(h, stride), even(w, stride)];
  const inputShape = [1, h, w, c];
  const filterShape = [kernel, kernel, c, 1];
  const dyShape = [1, ...out, c];
  const attrs = { strides: [stride, stride], pad: (kernel - 1) / 2, dilations: [1, 1], dataFormat: 'NHWC' };
  const run = (kernelName: string, inputs: object, extra: object = {}): tf.Tensor =>
    tf.engine().runKernel(kernelName, inputs as tf.NamedTensorMap, { ...attrs, ...extra } as never) as tf.Tensor;
  const passes: Record<Pass, Pick<Work, 'inputs' | 'run'>> = {
    forward: {
      inputs: () => [random(inputShape, 1), random(filterShape, 2)],
      run: ([x, filter]) => run(tf.DepthwiseConv2dNative, { x, filter }),
    },
    'input gradient': {
      inputs: () => [random(dyShape, 3), random(filterShape, 2)],
      run: ([dy, filter]) => run(tf.DepthwiseConv2dNativeBackpropInput, { dy, filter }, { inputShape }),
    },
    'filter gradient': {
      inputs: () => [random(inputShape, 1), random(dyShape, 3)],
      run: ([x, dy]) => run(tf.DepthwiseConv2dNativeBackpropFilter, { x, dy }, { filterShape }),
    },
  };
  return {
    group: `depthwise, ${pass}`,
    name: `${name}: ${kernel}x${kernel} ${c}${stride > 1 ? ` /${stride}` : ''} of ${h}x${w}`,
    operations: 2 * out[0] * out[1] * kernel * kernel * c,
    needs: pass === 'forward' ? 'predict' : 'train',
    long: pass !== 'forward',
    ...passes[pass],
  };
}

/** Convolution in 32 groups, as each engine does it best: alone, or with both gradients. */
export function groupedWork({ size: [h, w], inChannels, outChannels, kernel, name }: ConvShape, trains: boolean): Work {
  const groups = 32;
  const forward = (x: tf.Tensor, filter: tf.Tensor): tf.Tensor =>
    convolution(x as tf.Tensor4D, filter as tf.Tensor4D, { groups });
  return {
    group: trains ? 'grouped, forward and both gradients' : 'grouped, forward',
    name: `${name}: ${kernel}x${kernel} ${inChannels}-${outChannels} in ${groups} groups of ${h}x${w}`,
    operations: (2 * h * w * kernel * kernel * inChannels * outChannels * (trains ? 3 : 1)) / groups,
    needs: trains ? 'train' : 'predict',
    long: true,
    inputs: () => [
      random([1, h, w, inChannels], 1),
      random([kernel, kernel, inChannels / groups, outChannels], 2),
      random([1, h, w, outChannels], 3),
    ],
    run: ([x, filter, dy]) => (trains ? tf.grads(forward)([x!, filter!], dy)[1]! : forward(x!, filter!)),
  };
}

const random = (shape: number[], seed: number): tf.Tensor => tf.randomUniform(shape, -1, 1, 'float32', seed);

/** A map of a training step with two images of 512x512: `[2, 128, 128, 256]`, 8.4 million numbers. */
const MAP = [2, 128, 128, 256];

const other = (
  group: string,
  name: string,
  shapes: readonly number[][],
  run: (...x: tf.Tensor[]) => tf.Tensor,
  needs: Work['needs'] = 'predict',
): Work => ({
  group,
  name: `${name} of ${shapes.map((shape) => shape.join('x')).join(' and ')}`,
  needs,
  peer: { op: name, shapes },
  inputs: () => shapes.map((shape, i) => random(shape, i + 1)),
  run: (inputs) => run(...inputs),
});

export const OTHERS: readonly Work[] = [
  other('element-wise', 'add', [MAP, MAP], tf.add),
  other('element-wise', 'multiply', [MAP, MAP], tf.mul),
  other('element-wise', 'multiply by channel', [MAP, [256]], tf.mul),
  other('element-wise', 'relu', [MAP], tf.relu),
  other('element-wise', 'step', [MAP], (x) => tf.step(x)),
  other('element-wise', 'sigmoid', [MAP], tf.sigmoid),
  other('element-wise', 'greater', [MAP, MAP], tf.greater),
  other('reduction', 'sum over space', [MAP], (x) => tf.sum(x, [0, 1, 2])),
  other('reduction', 'sum of all', [MAP], (x) => tf.sum(x)),
  other('pooling', 'max-pool 3x3 stride 2', [[2, 258, 258, 64]], (x) => tf.maxPool(x as tf.Tensor4D, 3, 2, 'valid')),
  other('pooling', 'gradient of max-pool', [[2, 258, 258, 64], [2, 128, 128, 64]], maxPoolGradient, 'train'), // biome-ignore format: one line each
  other('moving', 'upsample by 2', [[2, 64, 64, 256]], (x) =>
    tf.image.resizeNearestNeighbor(x as tf.Tensor4D, [128, 128]),
  ),
  other('moving', 'gradient of upsampling', [MAP, [2, 64, 64, 256]], upsampleGradient, 'train'),
  other('moving', 'pad', [MAP], (x) => tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]])), // biome-ignore format: one line each
  other('moving', 'concatenate', [MAP, MAP], (a, b) => tf.concat([a, b], 0)),
  other('moving', 'transpose', [MAP], (x) => tf.transpose(x, [0, 3, 1, 2])),
  { ...product(1024, 12544, 1024), long: true },
  { ...product(1024, 1024, 1024), long: true },
];

function product(rows: number, inner: number, columns: number): Work {
  const work = other('product', 'matMul', [[rows, inner], [inner, columns]], (a, b) => tf.matMul(a, b)); // biome-ignore format: one line
  return { ...work, operations: 2 * rows * inner * columns };
}

function maxPoolGradient(x: tf.Tensor, dy: tf.Tensor): tf.Tensor {
  const attrs = { filterSize: 3, strides: 2, pad: 'valid', dimRoundingMode: undefined };
  const output = tf.maxPool(x as tf.Tensor4D, 3, 2, 'valid');
  return tf.engine().runKernel(tf.MaxPoolGrad, { dy, input: x, output }, attrs as never) as tf.Tensor;
}

function upsampleGradient(dy: tf.Tensor, images: tf.Tensor): tf.Tensor {
  const attrs = { alignCorners: false, halfPixelCenters: false, size: [128, 128] };
  return tf.engine().runKernel(tf.ResizeNearestNeighborGrad, { dy, images }, attrs as never) as tf.Tensor;
}

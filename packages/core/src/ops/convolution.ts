import * as tf from '@tensorflow/tfjs-core';
import { isRecording } from '../autograd/engine-internals.ts';
import { type FusedActivation, GROUPED } from '../autograd/fused-gradients.ts';

export interface ConvolutionOptions {
  /** `[O]`, added to every cell. */
  readonly bias?: tf.Tensor1D;
  /** Default 1. */
  readonly stride?: number;
  /** Zeros on every side, in cells. Default `dilation * (kernel - 1) / 2`: a stride of 1 keeps the size. */
  readonly padding?: number;
  /** Default 1. */
  readonly dilation?: number;
  /** Groups of channels that do not see each other (ResNeXt); as many as channels: depthwise (MobileNet). Default 1. */
  readonly groups?: number;
  /** Default `linear`. */
  readonly activation?: FusedActivation;
}

/**
 * Convolution with PyTorch's padding: the same number of zeros on every side, whatever the stride. (`same` of
 * TensorFlow pads the wrong side when the stride is 2.) Bias and ReLU are fused into the kernel, on a tape too.
 *
 * @param x `[N, H, W, I]`
 * @param filter `[kh, kw, I / groups, O]`
 * @returns `[N, H', W', O]`
 */
export function convolution(x: tf.Tensor4D, filter: tf.Tensor4D, options: ConvolutionOptions = {}): tf.Tensor4D {
  const { bias, stride = 1, dilation = 1, groups = 1, activation = 'linear' } = options;
  const padding = options.padding ?? (dilation * (filter.shape[0] - 1)) / 2;
  if (groups > 1) {
    // tfjs has no gradient of dilated depthwise convolutions and no kernel for dilated ones that stride.
    const plain = dilation === 1 || (stride === 1 && !isRecording());
    if (groups === x.shape[3] && plain) return eachAlone(x, filter, { ...options, padding });
    const whole = dilation === 1 && x.size > 0 && tf.getKernel(GROUPED, tf.getBackend()) !== undefined;
    return (whole ? inGroups : groupByGroup)(x, filter, { ...options, padding });
  }
  return tf.tidy(() => {
    if (dilation > 1 && (stride > 1 || isRecording())) return shifted(x, filter, { ...options, padding });
    if (dilation > 1 || (bias === undefined && activation === 'linear')) {
      const { map, pad } = padded(x, filter, { stride, dilation, padding });
      return finish(tf.conv2d(map, filter, stride, pad, 'NHWC', dilation), bias, activation);
    }
    return fused(tf.FusedConv2D, x, filter, { ...options, padding });
  });
}

/** Zeros (or another value) around a map, the same width on every side. `[N, H, W, C]` to `[N, H + 2p, W + 2p, C]`. */
export function padMap(x: tf.Tensor4D, padding: number, value = 0): tf.Tensor4D {
  const sides: [number, number] = [padding, padding];
  return tf.pad(x, [[0, 0], sides, sides, [0, 0]], value);
}

/**
 * The same sum, one filter cell at a time: a 1x1 convolution of the map moved by that cell's offset. tfjs has no
 * gradient for dilated convolutions and no kernel for dilated ones that stride; this has both.
 */
function shifted(x: tf.Tensor4D, filter: tf.Tensor4D, options: ConvolutionOptions & { padding: number }): tf.Tensor4D {
  const { bias, stride = 1, dilation = 1, activation = 'linear', padding } = options;
  const [kh, kw, channels, outChannels] = filter.shape;
  const padded = padding === 0 ? x : padMap(x, padding);
  const [n, height, width] = padded.shape;
  const rows = height - dilation * (kh - 1);
  const columns = width - dilation * (kw - 1);
  let sum: tf.Tensor4D | undefined;
  for (let i = 0; i < kh; i++) {
    for (let j = 0; j < kw; j++) {
      const moved = tf.slice(padded, [0, i * dilation, j * dilation, 0], [n, rows, columns, channels]);
      const cell = tf.slice(filter, [i, j, 0, 0], [1, 1, channels, outChannels]);
      const part = tf.conv2d(moved, cell, stride, 'valid');
      sum = sum === undefined ? part : tf.add(sum, part);
    }
  }
  return finish(sum as tf.Tensor4D, bias, activation);
}

function finish(y: tf.Tensor4D, bias: tf.Tensor1D | undefined, activation: FusedActivation): tf.Tensor4D {
  const z: tf.Tensor4D = bias === undefined ? y : tf.add(y, bias);
  return activate(z, activation);
}

/** An activation that was not fused. */
export function activate<T extends tf.Tensor>(x: T, activation: FusedActivation): T {
  if (activation === 'relu6') return tf.relu6(x);
  return activation === 'relu' ? tf.relu(x) : x;
}

/** Every channel by itself, to `O / I` channels each: one kernel of its own, bias and activation fused. */
function eachAlone(
  x: tf.Tensor4D,
  filter: tf.Tensor4D,
  options: ConvolutionOptions & { padding: number },
): tf.Tensor4D {
  const [kh, kw, , outChannels] = filter.shape;
  const channels = x.shape[3];
  return tf.tidy(() => {
    const own: tf.Tensor4D = tf.reshape(filter, [kh, kw, channels, outChannels / channels]); // a channel's outputs are neighbors
    return fused(tf.FusedDepthwiseConv2D, x, own, options);
  });
}

/** All groups by one kernel of the engine. */
function inGroups(x: tf.Tensor4D, filter: tf.Tensor4D, options: ConvolutionOptions & { padding: number }): tf.Tensor4D {
  return tf.tidy(() => fused(GROUPED, x, filter, options));
}

/** A kernel with bias and activation. */
function fused(
  kernel: string,
  x: tf.Tensor4D,
  filter: tf.Tensor4D,
  { bias, stride = 1, dilation = 1, activation = 'linear', padding }: ConvolutionOptions & { padding: number },
): tf.Tensor4D {
  const { map, pad } = padded(x, filter, { stride, dilation, padding });
  const inputs: Record<string, tf.Tensor> = { x: map, filter };
  if (bias !== undefined) inputs['bias'] = bias;
  const attrs = { strides: [stride, stride], pad, dataFormat: 'NHWC', dilations: [dilation, dilation], activation };
  return tf.engine().runKernel(kernel, inputs as tf.NamedTensorMap, attrs) as tf.Tensor4D;
}

/**
 * The map and the padding that a kernel is told. Where `same` means symmetric zeros it is used: every engine knows it.
 * Elsewhere the map is padded first, because the gradients of the native TensorFlow binding reject explicit padding.
 */
function padded(
  x: tf.Tensor4D,
  filter: tf.Tensor4D,
  { stride, dilation, padding }: { stride: number; dilation: number; padding: number },
): { readonly map: tf.Tensor4D; readonly pad: 'same' | 'valid' } {
  if (padding === 0) return { map: x, pad: 'valid' };
  const same = stride === 1 && filter.shape.slice(0, 2).every((k) => padding === (dilation * (k - 1)) / 2);
  return same ? { map: x, pad: 'same' } : { map: padMap(x, padding), pad: 'valid' };
}

/** For engines without such a kernel. */
function groupByGroup(x: tf.Tensor4D, filter: tf.Tensor4D, options: ConvolutionOptions): tf.Tensor4D {
  const { groups = 1, bias, activation = 'linear', ...rest } = options;
  return tf.tidy(() => {
    const xs = tf.split(x, groups, 3);
    const filters = tf.split(filter, groups, 3);
    const parts = xs.map((part, i) =>
      convolution(part as tf.Tensor4D, filters[i] as tf.Tensor4D, { ...rest, groups: 1 }),
    );
    return finish(tf.concat(parts, 3), bias, activation);
  });
}

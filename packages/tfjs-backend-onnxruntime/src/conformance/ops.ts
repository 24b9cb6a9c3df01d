import * as tf from '@tensorflow/tfjs-core';

type Attrs = Readonly<Record<string, unknown>>;
type Op = (inputs: tf.Tensor[], attrs: Attrs) => tf.Tensor;

const unary =
  (op: (x: tf.Tensor) => tf.Tensor): Op =>
  ([x]) =>
    op(x!);
const binary =
  (op: (a: tf.Tensor, b: tf.Tensor) => tf.Tensor): Op =>
  ([a, b]) =>
    op(a!, b!);
const comparison =
  (op: (a: tf.Tensor, b: tf.Tensor) => tf.Tensor): Op =>
  ([a, b]) =>
    tf.cast(op(a!, b!), 'float32');
const reduction = (op: (x: tf.Tensor, axis: number[], keepDims: boolean) => tf.Tensor): Op =>
  ([x], { axis, keepDims }) => op(x!, axis as number[], keepDims as boolean); // biome-ignore format: one line each

const conv = (
  x: tf.Tensor,
  w: tf.Tensor,
  strides = 1,
  pad: number | 'same' | 'valid' = 'same',
  dilations = 1,
): tf.Tensor4D => tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, strides, pad, 'NHWC', dilations);

/** A convolution whose output is `stride` times smaller and centred as PyTorch does it. */
const centred = (x: tf.Tensor, w: tf.Tensor, strides = 1): tf.Tensor4D => conv(x, w, strides, (w.shape[0]! - 1) / 2);

/** How tfjs does each op of the list; `tools/reference/conformance.py` says how PyTorch does. */
export const ops: Readonly<Record<string, Op>> = {
  conv2d: ([x, w], { strides, pad, dilations }) =>
    conv(x!, w!, strides as number, pad as 'same', (dilations as number | undefined) ?? 1),
  fusedConv2D: ([x, filter, bias], { activation }) =>
    tf.fused.conv2d({
      x: x as tf.Tensor4D,
      filter: filter as tf.Tensor4D,
      strides: 1,
      pad: 'same',
      bias: bias!,
      activation: activation as 'relu',
    }),
  depthwiseConv2d: ([x, w], { strides, pad, dilations }) =>
    tf.depthwiseConv2d(
      x as tf.Tensor4D,
      w as tf.Tensor4D,
      strides as number,
      pad as 'same',
      'NHWC',
      (dilations as number | undefined) ?? 1,
    ),
  conv2dTranspose: ([x, w], { outputShape }) =>
    tf.conv2dTranspose(x as tf.Tensor4D, w as tf.Tensor4D, outputShape as [number, number, number, number], 2, 'valid'),
  matMul: ([a, b], { transposeA, transposeB }) => tf.matMul(a!, b!, Boolean(transposeA), Boolean(transposeB)),
  fusedMatMul: ([a, b, bias]) => tf.fused.matMul({ a: a!, b: b!, bias: bias!, activation: 'relu' }),
  maxPool: ([x], { size, strides, pad }) =>
    tf.maxPool(x as tf.Tensor4D, size as number, strides as number, pad as 'same'),
  avgPool: ([x], { size, strides, pad }) =>
    tf.avgPool(x as tf.Tensor4D, size as number, strides as number, pad as 'same'),
  resizeNearest: ([x], { size }) => tf.image.resizeNearestNeighbor(x as tf.Tensor4D, size as [number, number]),

  relu: unary(tf.relu),
  relu6: unary(tf.relu6),
  elu: unary(tf.elu),
  sigmoid: unary(tf.sigmoid),
  tanh: unary(tf.tanh),
  exp: unary(tf.exp),
  log: unary(tf.log),
  log1p: unary(tf.log1p),
  softplus: unary(tf.softplus),
  sqrt: unary(tf.sqrt),
  rsqrt: unary(tf.rsqrt),
  reciprocal: unary(tf.reciprocal),
  square: unary(tf.square),
  abs: unary(tf.abs),
  neg: unary(tf.neg),
  floor: unary(tf.floor),
  ceil: unary(tf.ceil),
  round: unary(tf.round),
  sign: unary(tf.sign),
  step: unary((x) => tf.step(x)),
  clipByValue: ([x], { min, max }) => tf.clipByValue(x!, min as number, max as number),
  maximum0: unary((x) => tf.maximum(x, 0)),

  add: binary(tf.add),
  sub: binary(tf.sub),
  mul: binary(tf.mul),
  div: binary(tf.div),
  maximum: binary(tf.maximum),
  minimum: binary(tf.minimum),
  squaredDifference: binary(tf.squaredDifference),
  pow: binary(tf.pow),
  where: ([a, b, chosen]) => tf.where(tf.cast(tf.reshape(chosen!, a!.shape), 'bool'), a!, b!),
  addN: (inputs) => tf.addN(inputs),
  greater: comparison(tf.greater),
  greaterEqual: comparison(tf.greaterEqual),
  less: comparison(tf.less),
  lessEqual: comparison(tf.lessEqual),
  equal: comparison(tf.equal),

  sum: reduction(tf.sum),
  mean: reduction(tf.mean),
  max: reduction(tf.max),
  min: reduction(tf.min),
  softmax: unary((x) => tf.softmax(x)),
  logSoftmax: unary((x) => tf.logSoftmax(x)),

  pad: ([x], { paddings }) => tf.pad(x!, paddings as [number, number][]),
  slice: ([x], { begin, size }) => tf.slice(x!, begin as number[], size as number[]),
  concat: (inputs, { axis }) => tf.concat(inputs, axis as number),
  splitSum: ([x], { sizes, axis }) => {
    const parts = tf.split(x!, sizes as number[], axis as number);
    return tf.addN(parts.map((part, i) => tf.mul(tf.sum(part, -1), i + 1)));
  },
  transpose: ([x], { perm }) => tf.transpose(x!, perm as number[]),
  reshape: ([x], { shape }) => tf.reshape(x!, shape as number[]),
  gather: ([x, indices], { axis }) => tf.gather(x!, indices as tf.Tensor1D, axis as number),
  unsortedSegmentSum: ([x, ids], { numSegments }) =>
    tf.unsortedSegmentSum(x!, ids as tf.Tensor1D, numSegments as number),
  tile: ([x], { reps }) => tf.tile(x!, reps as number[]),
  stack: (inputs, { axis }) => tf.stack(inputs, axis as number),
  reverse: ([x], { axis }) => tf.reverse(x!, axis as number),

  /** A stem, a pooling, a residual block with a stride, a mean over space and a classifier: the loss. */
  residualNet: ([x, w1, w2, w3, down, fc, bias]) => {
    const stem = tf.relu(centred(x!, w1!, 2));
    const pooled = tf.maxPool(tf.pad(stem, [[0, 0], [1, 1], [1, 1], [0, 0]]) as tf.Tensor4D, 3, 2, 'valid'); // biome-ignore format: one line
    const inner = tf.relu(centred(pooled, w2!, 2));
    const block = tf.relu(tf.add(centred(inner, w3!), conv(pooled, down!, 2, 'valid')));
    const logits = tf.add(tf.matMul(tf.mean(block, [1, 2]) as tf.Tensor2D, fc as tf.Tensor2D), bias!);
    return tf.neg(tf.mean(tf.slice(tf.logSoftmax(logits), [0, 1], [-1, 1])));
  },
  /** Two levels of a feature pyramid and a mask head on the finer one. */
  pyramidNet: ([fine, coarse, lateralFine, lateralCoarse, smooth, up]) => {
    const [n, h, w] = fine!.shape as [number, number, number];
    const top = tf.image.resizeNearestNeighbor(conv(coarse!, lateralCoarse!), [h, w]);
    const maps = tf.relu(conv(tf.add(conv(fine!, lateralFine!), top), smooth!)) as tf.Tensor4D;
    const outputShape: [number, number, number, number] = [n, 2 * h, 2 * w, up!.shape[2]!];
    return tf.mean(tf.sigmoid(tf.conv2dTranspose(maps, up as tf.Tensor4D, outputShape, 2, 'valid')), [1, 2]);
  },
};

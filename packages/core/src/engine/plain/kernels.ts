/**
 * Convolutions, their gradients and products of matrices for the engine `cpu`. Those of tfjs (4.22) read their numbers one
 * by one through functions: the gradient of a filter takes a minute where this takes a tenth of a second, and no detector
 * could learn in a browser that has no GPU.
 */
import {
  backend_util,
  getKernel,
  type KernelConfig,
  type KernelFunc,
  type NamedAttrMap,
  registerKernel,
  type TensorInfo,
  unregisterKernel,
} from '@tensorflow/tfjs-core';
import { convolve, filterGradient, inputGradient } from './convolutions.ts';
import { product } from './product.ts';

const BACKEND = 'cpu';

/** What is used of the backend `cpu`. */
interface PlainBackend {
  readonly data: { get(dataId: object): { readonly values: Float32Array } };
  makeTensorInfo(shape: readonly number[], dtype: 'float32', values: Float32Array): TensorInfo;
}

interface Call {
  readonly inputs: Readonly<Record<string, TensorInfo | undefined>>;
  readonly attrs: NamedAttrMap;
  readonly values: (input: TensorInfo) => Float32Array;
}

/** Shape and numbers of a result; undefined leaves the call to the kernel of tfjs. */
type Plain = (call: Call) => { readonly shape: readonly number[]; readonly numbers: Float64Array } | undefined;

const plain: Readonly<Record<string, Plain>> = {
  Conv2D({ inputs, attrs, values }) {
    const { x, filter } = inputs as Record<string, TensorInfo>;
    const info = describe(x!.shape, filter!.shape, attrs);
    return info && { shape: info.outShape, numbers: convolve(info, values(x!), values(filter!)) };
  },

  FusedConv2D({ inputs, attrs, values }) {
    const { x, filter, bias } = inputs as Record<string, TensorInfo>;
    const info = describe(x!.shape, filter!.shape, attrs);
    if (info === undefined || !isSimple(attrs)) return undefined;
    const numbers = convolve(info, values(x!), values(filter!));
    finish(numbers, bias && values(bias), attrs['activation'] as string);
    return { shape: info.outShape, numbers };
  },

  Conv2DBackpropInput({ inputs, attrs, values }) {
    const { dy, filter } = inputs as Record<string, TensorInfo>;
    const info = describe(attrs['inputShape'] as number[], filter!.shape, attrs);
    return info && { shape: info.inShape, numbers: inputGradient(info, values(dy!), values(filter!)) };
  },

  Conv2DBackpropFilter({ inputs, attrs, values }) {
    const { x, dy } = inputs as Record<string, TensorInfo>;
    const shape = attrs['filterShape'] as number[];
    const info = describe(x!.shape, shape, attrs);
    return info && { shape, numbers: filterGradient(info, values(x!), values(dy!)) };
  },

  BatchMatMul({ inputs, attrs, values }) {
    const { a, b } = inputs as Record<string, TensorInfo>;
    return product(a!, b!, attrs, values);
  },

  _FusedMatMul({ inputs, attrs, values }) {
    const { a, b, bias } = inputs as Record<string, TensorInfo>;
    const result = isSimple(attrs) && (!bias || bias.shape.length === 1) ? product(a!, b!, attrs, values) : undefined;
    if (result) finish(result.numbers, bias && values(bias), attrs['activation'] as string);
    return result;
  },
};

/** The usual layout alone. */
function describe(
  inShape: readonly number[],
  filterShape: readonly number[],
  attrs: NamedAttrMap,
): backend_util.Conv2DInfo | undefined {
  if ((attrs['dataFormat'] ?? 'NHWC') !== 'NHWC') return undefined;
  return backend_util.computeConv2DInfo(
    inShape as [number, number, number, number],
    filterShape as [number, number, number, number],
    attrs['strides'] as [number, number],
    (attrs['dilations'] ?? 1) as [number, number],
    attrs['pad'] as 'same',
    attrs['dimRoundingMode'] as 'floor' | undefined,
  );
}

const LIMITS: Readonly<Record<string, readonly [low: number, high: number]>> = {
  linear: [-Infinity, Infinity],
  relu: [0, Infinity],
  relu6: [0, 6],
};

const isSimple = (attrs: NamedAttrMap): boolean => Object.hasOwn(LIMITS, (attrs['activation'] as string) ?? 'linear');

/** Adds a bias to each row and applies the activation. NaN stays NaN: both comparisons are false for it. */
function finish(numbers: Float64Array, bias: Float32Array | undefined, activation = 'linear'): void {
  const [low, high] = LIMITS[activation]!;
  const width = bias?.length ?? 1;
  for (let i = 0; i < numbers.length; i++) {
    const value = numbers[i]! + (bias?.[i % width] ?? 0);
    numbers[i] = value < low ? low : value > high ? high : value;
  }
}

/** Puts them before those of tfjs, which do what these leave. Again changes nothing. */
export function registerPlainKernels(): void {
  for (const [name, run] of Object.entries(plain)) {
    const theirs = getKernel(name, BACKEND);
    if (theirs === undefined || replaced.has(theirs)) continue;
    const ours: KernelConfig = { ...theirs, kernelFunc: before(run, theirs.kernelFunc) };
    unregisterKernel(name, BACKEND);
    registerKernel(ours);
    replaced.add(ours);
  }
}

const replaced = new WeakSet<KernelConfig>();

function before(run: Plain, theirs: KernelFunc): KernelFunc {
  return (call) => {
    const { inputs, attrs = {} } = call;
    const backend = call.backend as PlainBackend;
    const isFloat = Object.values(inputs).every((input) => input === undefined || input.dtype === 'float32');
    const values = (input: TensorInfo): Float32Array => backend.data.get(input.dataId).values;
    const result = isFloat ? run({ inputs, attrs, values }) : undefined;
    if (result === undefined) return theirs(call);
    return backend.makeTensorInfo(result.shape, 'float32', new Float32Array(result.numbers));
  };
}

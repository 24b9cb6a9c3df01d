/** Kernels that treat every element alike, with NumPy's broadcasting. */
import { broadcast_util, type DataType, type TensorInfo } from '@tensorflow/tfjs-core';
import type { NativeTensor } from '../native.ts';
import { BOOL, FLOAT, type GraphNode, INT32 } from '../onnx.ts';
import type { NamedGraph } from '../sessions.ts';
import { ONE, SIGMOID } from './activation.ts';
import { isFloat, type KernelCall, type OrtKernel, singleNode, sizeOf, WORTH_A_CALL } from './kernel.ts';

/** float32 in, float32 out: tfjs kernel to ONNX operator. All of these keep NaN. */
const UNARY: Record<string, string> = {
  Abs: 'Abs',
  Ceil: 'Ceil',
  Erf: 'Erf',
  Exp: 'Exp',
  Floor: 'Floor',
  Log: 'Log',
  Neg: 'Neg',
  Reciprocal: 'Reciprocal',
  Relu: 'Relu',
  Round: 'Round',
  Sign: 'Sign',
  Sqrt: 'Sqrt',
  Tanh: 'Tanh',
};

const BINARY: Record<string, string> = {
  Add: 'Add',
  Maximum: 'Max',
  Minimum: 'Min',
  Multiply: 'Mul',
  RealDiv: 'Div',
  Sub: 'Sub',
};

const COMPARISONS: Record<string, string> = {
  Equal: 'Equal',
  Greater: 'Greater',
  GreaterEqual: 'GreaterOrEqual',
  Less: 'Less',
  LessEqual: 'LessOrEqual',
};

const node = (op: string, inputs: string[], output: string, attributes: GraphNode['attributes'] = {}): GraphNode => ({
  op,
  inputs,
  outputs: [output],
  attributes,
});

function chain(
  key: string,
  nodes: GraphNode[],
  inputTypes: number[] = [FLOAT],
  outputType: number = FLOAT,
): NamedGraph {
  return {
    key,
    graph: () => ({
      nodes,
      inputs: inputTypes.map((type, i) => ({ name: `i${i}`, type })),
      outputs: [{ name: 'o0', type: outputType }],
    }),
  };
}

const square = singleNode('Mul', { op: 'Mul' }, [FLOAT, FLOAT]);
const rsqrt = chain('Rsqrt', [node('Sqrt', ['i0'], 'root'), node('Reciprocal', ['root'], 'o0')]);
const step = chain(
  'Step',
  [node('Greater', ['i0', 'i1'], 'positive'), node('Cast', ['positive'], 'o0', { to: FLOAT })],
  [FLOAT, FLOAT],
);
const squaredDifference = chain(
  'SquaredDifference',
  [node('Sub', ['i0', 'i1'], 'difference'), node('Mul', ['difference', 'difference'], 'o0')],
  [FLOAT, FLOAT],
);
const clip = singleNode('Clip', { op: 'Clip' }, [FLOAT, FLOAT, FLOAT]);
const where = singleNode('Where', { op: 'Where' }, [BOOL, FLOAT, FLOAT]);

const scalar = (value: number) => ({
  type: 'float32' as const,
  location: 'cpu' as const,
  dims: [],
  data: Float32Array.of(value),
});

/** A float32 tensor that is worth a call: else the `cpu` kernel does it. */
const large = (x: TensorInfo): boolean => isFloat(x) && sizeOf(x.shape) >= WORTH_A_CALL;

function unary(name: string, graph: NamedGraph, ...more: NativeTensor[]): OrtKernel {
  return {
    name,
    run({ inputs, backend }) {
      const x = inputs['x']!;
      if (!large(x)) return undefined;
      const y = backend.float32(x.shape);
      backend.run(graph, [flat(backend.native(x)), ...more], [flat(backend.native(y))]);
      return y;
    },
  };
}

/** One long axis: the native side needs to know no shape. */
function flat<T extends { readonly dims: readonly number[] }>(tensor: T): T {
  return { ...tensor, dims: [sizeOf(tensor.dims)] };
}

function binary(name: string, graph: NamedGraph, dtype: DataType = 'float32'): OrtKernel {
  return {
    name,
    run({ inputs, backend }) {
      const a = inputs['a']!;
      const b = inputs['b']!;
      if (!isFloat(a) || !isFloat(b)) return undefined;
      const shape = broadcast_util.assertAndGetBroadcastShape(a.shape, b.shape);
      if (sizeOf(shape) < WORTH_A_CALL) return undefined;
      const y = backend.output(shape, dtype);
      backend.run(graph, [backend.native(a), backend.native(b)], [backend.native(y)]);
      return y;
    },
  };
}

function clipKernel(name: string, range: (attrs: KernelCall['attrs']) => [number, number]): OrtKernel {
  return {
    name,
    run({ inputs, backend, attrs }) {
      const x = inputs['x']!;
      if (!isFloat(x)) return undefined;
      const y = backend.float32(x.shape);
      const [low, high] = range(attrs);
      if (large(x)) backend.run(clip, [backend.native(x), scalar(low), scalar(high)], [backend.native(y)]);
      else clipSmall(backend.floats(x), low, high, backend.floats(y));
      return y;
    },
  };
}

/** Unlike the `cpu` kernel, keeps NaN: both comparisons are false for it. */
function clipSmall(x: Float32Array, low: number, high: number, y: Float32Array): void {
  for (let i = 0; i < x.length; i++) {
    const value = x[i]!;
    y[i] = value < low ? low : value > high ? high : value;
  }
}

/** `mul(dy, step(x))` is the gradient of relu, so this runs for every activation of a training step. */
const stepKernel: OrtKernel = {
  name: 'Step',
  run({ inputs, backend, attrs }) {
    const x = inputs['x']!;
    if (!large(x) || (attrs['alpha'] as number) !== 0) return undefined;
    const y = backend.float32(x.shape);
    backend.run(step, [flat(backend.native(x)), scalar(0)], [flat(backend.native(y))]);
    return y;
  },
};

const squareKernel: OrtKernel = {
  name: 'Square',
  run({ inputs, backend }) {
    const x = inputs['x']!;
    if (!large(x)) return undefined;
    const y = backend.float32(x.shape);
    const values = flat(backend.native(x));
    backend.run(square, [values, values], [flat(backend.native(y))]);
    return y;
  },
};

const CAST: Record<string, number> = { float32: FLOAT, int32: INT32, bool: BOOL };

/** Widening only: float32 to int32 truncates and to bool compares, where the engines differ on NaN. */
const castKernel: OrtKernel = {
  name: 'Cast',
  run({ inputs, backend, attrs }) {
    const x = inputs['x']!;
    const from = CAST[x.dtype];
    if (attrs['dtype'] !== 'float32' || from === undefined || from === FLOAT || sizeOf(x.shape) < WORTH_A_CALL)
      return undefined;
    const y = backend.float32(x.shape);
    const cast = singleNode(`Cast ${x.dtype}`, { op: 'Cast', attributes: { to: FLOAT } }, [from]);
    backend.run(cast, [flat(backend.native(x))], [flat(backend.native(y))]);
    return y;
  },
};

const selectKernel: OrtKernel = {
  name: 'Select',
  run({ inputs, backend }) {
    const condition = inputs['condition']!;
    const t = inputs['t']!;
    const e = inputs['e']!;
    const sameShape = condition.shape.join() === t.shape.join() && t.shape.join() === e.shape.join();
    if (!sameShape || condition.dtype !== 'bool' || !isFloat(t) || !large(e)) return undefined;
    const y = backend.float32(t.shape);
    const inputsOf = [condition, t, e].map((tensor) => flat(backend.native(tensor)));
    backend.run(where, inputsOf, [flat(backend.native(y))]);
    return y;
  },
};

/** Sums many maps of one shape: gradients of a value that was used more than once. */
const addNKernel: OrtKernel = {
  name: 'AddN',
  run({ inputs, backend }) {
    const terms = Object.values(inputs as Record<string, TensorInfo>);
    if (terms.length < 2 || !terms.every(large)) return undefined;
    const y = backend.float32(terms[0]!.shape);
    const add = singleNode('Add', { op: 'Add' }, [FLOAT, FLOAT]);
    const total = flat(backend.native(y));
    let sum = flat(backend.native(terms[0]!));
    for (const term of terms.slice(1)) {
      backend.run(add, [sum, flat(backend.native(term))], [total]);
      sum = total;
    }
    return y;
  },
};

export const elementWise: readonly OrtKernel[] = [
  ...Object.entries(UNARY).map(([name, op]) => unary(name, singleNode(op, { op }))),
  unary('Rsqrt', rsqrt),
  unary('Sigmoid', SIGMOID, ONE),
  unary('Softplus', singleNode('Softplus', { op: 'Softplus' })),
  ...Object.entries(BINARY).map(([name, op]) => binary(name, singleNode(op, { op }, [FLOAT, FLOAT]))),
  ...Object.entries(COMPARISONS).map(([name, op]) =>
    binary(name, singleNode(op, { op }, [FLOAT, FLOAT], BOOL), 'bool'),
  ),
  binary('SquaredDifference', squaredDifference),
  clipKernel('ClipByValue', (attrs) => [attrs['clipValueMin'] as number, attrs['clipValueMax'] as number]),
  clipKernel('Relu6', () => [0, 6]),
  stepKernel,
  squareKernel,
  castKernel,
  selectKernel,
  addNKernel,
];

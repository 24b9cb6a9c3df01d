import { broadcast_util, type TensorInfo } from '@tensorflow/tfjs-core';
import { nativeFloats, type OrtBackend } from '../backend.ts';
import { FLOAT, MICROSOFT } from '../onnx.ts';
import type { NamedGraph } from '../sessions.ts';
import { fused } from './activation.ts';
import { isFloat, type KernelCall, type OrtKernel, singleNode, sizeOf } from './kernel.ts';

/** Below this many multiplications the `cpu` kernel is done sooner. */
const WORTH_A_PRODUCT = 4096;

function gemmGraph(transposeA: boolean, transposeB: boolean): NamedGraph {
  const attributes = { transA: Number(transposeA), transB: Number(transposeB) };
  return singleNode(
    `Gemm ${attributes.transA}${attributes.transB}`,
    { op: 'Gemm', attributes },
    [FLOAT, FLOAT],
    FLOAT,
    true,
  );
}

const GEMM = [
  [gemmGraph(false, false), gemmGraph(false, true)],
  [gemmGraph(true, false), gemmGraph(true, true)],
] as const;

export interface Matrix {
  readonly data: Float32Array;
  readonly rows: number;
  readonly columns: number;
  readonly transpose?: boolean;
}

/** Bytes of `a` that one thread takes at a time where the rows are taken in pieces. */
const PIECE = 2 * 2 ** 20;
/** From this many bytes of `a` on it is worth it. */
const WORTH_PIECES = 8 * 2 ** 20;

/** Columns of `c` below which pieces cost more than they save. */
const NARROW = 128;

/** `c = a b`, where `c` has as many rows and columns as that gives. */
export function gemm(backend: OrtBackend, a: Matrix, b: Matrix, c: Float32Array): void {
  const columns = b.transpose ? b.rows : b.columns;
  const step = rowsAtOnce(a, columns, backend.sessions.threads);
  for (let row = 0; row < a.rows; row += step) {
    const rows = Math.min(step, a.rows - row);
    const part = rows === a.rows ? a : { ...a, rows, data: rowsOf(a.data, a.columns, row, rows) };
    multiply(backend, part, b, rows === a.rows ? c : rowsOf(c, columns, row, rows));
  }
}

/**
 * onnxruntime cuts the inner dimension into slices of 128 and goes through all of `c` once for each. From two slices on,
 * rows that fit into the cache together keep it from going to memory every time (up to a third faster on one core, and
 * the same bits); beyond eight there would be too few rows in a piece, and a narrow `c` stays in the cache anyway.
 */
function rowsAtOnce({ rows, columns, transpose = false }: Matrix, outColumns: number, threads: number): number {
  if (transpose || columns < 256 || columns > 1024 || outColumns < NARROW) return Math.max(1, rows);
  if (rows * columns * 4 < WORTH_PIECES) return Math.max(1, rows);
  return Math.ceil((PIECE * threads) / (columns * 4));
}

const rowsOf = (data: Float32Array, columns: number, row: number, rows: number): Float32Array =>
  data.subarray(row * columns, (row + rows) * columns);

function multiply(backend: OrtBackend, a: Matrix, b: Matrix, c: Float32Array): void {
  const rows = a.transpose ? a.columns : a.rows;
  const columns = b.transpose ? b.rows : b.columns;
  const graph = GEMM[a.transpose ? 1 : 0][b.transpose ? 1 : 0];
  const native = ({ data, rows, columns }: Matrix) => nativeFloats(data, [rows, columns]);
  backend.run(graph, [native(a), native(b)], [nativeFloats(c, [rows, columns])]);
}

/** Products of many pairs of matrices. */
export function batched(transposeA: boolean, transposeB: boolean): NamedGraph {
  const attributes = { transA: Number(transposeA), transB: Number(transposeB) };
  const key = `FusedMatMul ${attributes.transA}${attributes.transB}`;
  return singleNode(key, { op: 'FusedMatMul', domain: MICROSOFT, attributes }, [FLOAT, FLOAT], FLOAT, true);
}

function product({ inputs, backend, attrs }: KernelCall): TensorInfo | undefined {
  const a = inputs['a']!;
  const b = inputs['b']!;
  if (!isFloat(a) || !isFloat(b)) return undefined;
  const transposeA = Boolean(attrs['transposeA']);
  const transposeB = Boolean(attrs['transposeB']);
  const [rows, inner] = lastTwo(a.shape, transposeA);
  const [innerB, columns] = lastTwo(b.shape, transposeB);
  if (inner !== innerB) return undefined; // the cpu kernel words the error
  const batch = broadcast_util.assertAndGetBroadcastShape(a.shape.slice(0, -2), b.shape.slice(0, -2));
  if (sizeOf(batch) * rows * inner * columns < WORTH_A_PRODUCT) return undefined;
  const y = backend.float32([...batch, rows, columns]);
  if (sizeOf(batch) === 1) {
    gemm(backend, matrix(backend, a, transposeA), matrix(backend, b, transposeB), backend.floats(y));
  } else {
    backend.run(batched(transposeA, transposeB), [backend.native(a), backend.native(b)], [backend.native(y)]);
  }
  return y;
}

function lastTwo(shape: readonly number[], transpose: boolean): [number, number] {
  const [rows, columns] = shape.slice(-2) as [number, number];
  return transpose ? [columns, rows] : [rows, columns];
}

function matrix(backend: OrtBackend, tensor: TensorInfo, transpose: boolean): Matrix {
  const [rows, columns] = tensor.shape.slice(-2) as [number, number];
  return { data: backend.floats(tensor), rows, columns, transpose };
}

export const matMul: readonly OrtKernel[] = [{ name: 'BatchMatMul', run: product }, fused('_FusedMatMul', product)];

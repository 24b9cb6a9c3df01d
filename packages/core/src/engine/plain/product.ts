import type { NamedAttrMap, TensorInfo } from '@tensorflow/tfjs-core';
import { multiplyAdd } from './multiply-add.ts';

/**
 * Products of as many matrices, `[B, M, K]` by `[B, K, N]`, either of them turned; undefined where one matrix serves
 * several.
 */
export function product(
  a: TensorInfo,
  b: TensorInfo,
  attrs: NamedAttrMap,
  values: (input: TensorInfo) => Float32Array,
): { readonly shape: readonly number[]; readonly numbers: Float64Array } | undefined {
  const batch = a.shape.slice(0, -2);
  if (batch.join() !== b.shape.slice(0, -2).join()) return undefined;
  const [turnA, turnB] = [attrs['transposeA'] === true, attrs['transposeB'] === true];
  const [aRows, aColumns] = a.shape.slice(-2) as [number, number];
  const [bRows, bColumns] = b.shape.slice(-2) as [number, number];
  const [rows, sums] = turnA ? [aColumns, aRows] : [aRows, aColumns];
  const columns = turnB ? bRows : bColumns;
  const count = batch.reduce((size, extent) => size * extent, 1);
  const numbers = new Float64Array(count * rows * columns);
  const [left, right] = [values(a), values(b)];
  for (let n = 0; n < count; n++) {
    const from = right.subarray(n * bRows * bColumns, (n + 1) * bRows * bColumns);
    const steps = turnA ? { row: 1, column: aColumns } : { row: aColumns, column: 1 };
    multiplyAdd(
      { data: left, start: n * aRows * aColumns, ...steps },
      { data: turnB ? turned(from, bRows, bColumns) : from, start: 0, row: columns },
      { data: numbers, start: n * rows * columns, row: columns },
      [rows, sums, columns],
    );
  }
  return { shape: [...batch, rows, columns], numbers };
}

/** `[R, C]` as `[C, R]`. */
function turned(matrix: Float32Array, rows: number, columns: number): Float32Array {
  const result = new Float32Array(matrix.length);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) result[j * rows + i] = matrix[i * columns + j]!;
  return result;
}

/** A matrix inside of an array: where it begins, and how far its rows and the numbers of a row are apart. */
export interface MatrixView {
  readonly data: Float32Array;
  readonly start: number;
  readonly row: number;
  readonly column: number;
}

/** Rows of numbers that touch each other. */
export interface RowsView<Data extends Float32Array | Float64Array> {
  readonly data: Data;
  readonly start: number;
  readonly row: number;
}

/** Rows of `a` and of the target, numbers of a sum, columns of `b` and of the target. */
export type ProductSize = readonly [rows: number, sums: number, columns: number];

/**
 * `target += a b`, in doubles. Four rows of `b` at a time: the target is read and written once for four products, which
 * is what plain JavaScript waits for.
 */
export function multiplyAdd(
  a: MatrixView,
  b: RowsView<Float32Array>,
  target: RowsView<Float64Array>,
  [rows, sums, columns]: ProductSize,
): void {
  const { data: left, column: step } = a;
  const { data: right, row: apart } = b;
  const { data: out } = target;
  const fours = sums - (sums % 4);
  for (let i = 0; i < rows; i++) {
    const to = target.start + i * target.row;
    let at = a.start + i * a.row;
    let from = b.start;
    for (let s = 0; s < fours; s += 4, at += 4 * step, from += 4 * apart) {
      const [p, q, r, t] = [left[at]!, left[at + step]!, left[at + 2 * step]!, left[at + 3 * step]!];
      const [second, third, fourth] = [from + apart, from + 2 * apart, from + 3 * apart];
      for (let k = 0; k < columns; k++) {
        out[to + k]! += p * right[from + k]! + q * right[second + k]! + r * right[third + k]! + t * right[fourth + k]!;
      }
    }
    for (let s = fours; s < sums; s++, at += step, from += apart) {
      const p = left[at]!;
      for (let k = 0; k < columns; k++) out[to + k]! += p * right[from + k]!;
    }
  }
}

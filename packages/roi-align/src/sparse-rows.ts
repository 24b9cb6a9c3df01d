import * as tf from '@tensorflow/tfjs-core';

/** A sparse matrix `[rows, columns]`: row `i` owns the entries `starts[i]` to `starts[i + 1]`. */
export interface SparseRows {
  readonly rows: number;
  readonly columns: number;
  readonly starts: Int32Array;
  /** The column of each entry. */
  readonly indices: Int32Array;
  readonly weights: Float32Array;
}

/** Entries that are gathered and added at once. */
const GROUP = 16;

/** Floats that one gather may make: 64 MB. */
const MOST_GATHERED = 2 ** 24;

/**
 * `matrix · x` in plain ops: gather, multiply, sum. No scatter, so it runs on every device and always adds in the same
 * order. Long rows are added in groups, then the groups' sums in groups, and so on.
 * @param x `[columns, C]`
 * @returns `[rows, C]`
 */
export function multiplySparse(matrix: SparseRows, x: tf.Tensor2D): tf.Tensor2D {
  return tf.tidy(() => {
    const filled = rowsWithEntries(matrix);
    if (filled.length === 0) return tf.zeros([matrix.rows, x.shape[1]]) as tf.Tensor2D;
    let work = matrix;
    let rows = filled;
    let sums = x;
    for (;;) {
      const { groups, next } = addGroups(work, rows, sums);
      sums = groups;
      if (next === undefined) break;
      work = next;
      rows = Int32Array.from({ length: next.rows }, (_, i) => i);
    }
    if (filled.length === matrix.rows) return sums;
    // Rows without entries share one row of zeros, put behind the others.
    const places = new Int32Array(matrix.rows).fill(filled.length);
    filled.forEach((row, i) => {
      places[row] = i;
    });
    const withZeros = tf.concat([sums, tf.zeros<tf.Rank.R2>([1, x.shape[1]])], 0);
    return tf.gather(withZeros, tf.tensor1d(places, 'int32'));
  });
}

/** The other way round: entry (i, j) becomes entry (j, i). */
export function transposeSparse({ rows, columns, starts, indices, weights }: SparseRows): SparseRows {
  const turned = {
    rows: columns,
    columns: rows,
    starts: new Int32Array(columns + 1),
    indices: new Int32Array(indices.length),
    weights: new Float32Array(weights.length),
  };
  for (const column of indices) turned.starts[column + 1]!++;
  for (let i = 0; i < columns; i++) turned.starts[i + 1]! += turned.starts[i]!;
  const next = turned.starts.slice();
  for (let row = 0; row < rows; row++) {
    for (let entry = starts[row]!; entry < starts[row + 1]!; entry++) {
      const at = next[indices[entry]!]!++;
      turned.indices[at] = row;
      turned.weights[at] = weights[entry]!;
    }
  }
  return turned;
}

function rowsWithEntries({ rows, starts }: SparseRows): Int32Array {
  const filled: number[] = [];
  for (let row = 0; row < rows; row++) if (starts[row + 1]! > starts[row]!) filled.push(row);
  return Int32Array.from(filled);
}

/**
 * Sums each of `rows` in groups of at most {@link GROUP} entries. Where a row has several groups, `next` is the matrix
 * that adds them.
 */
function addGroups(
  { starts, indices, weights }: SparseRows,
  rows: Int32Array,
  x: tf.Tensor2D,
): { groups: tf.Tensor2D; next: SparseRows | undefined } {
  const groupStarts = new Int32Array(rows.length + 1);
  let longest = 0;
  rows.forEach((row, i) => {
    const length = starts[row + 1]! - starts[row]!;
    longest = Math.max(longest, length);
    groupStarts[i + 1] = groupStarts[i]! + Math.ceil(length / GROUP);
  });
  const count = groupStarts[rows.length]!;
  const size = Math.min(longest, GROUP);
  const columns = new Int32Array(count * size);
  const factors = new Float32Array(count * size);
  let at = 0;
  for (const row of rows) {
    for (let first = starts[row]!; first < starts[row + 1]!; first += GROUP) {
      for (let k = 0; k < size; k++, at++) {
        const present = first + k < starts[row + 1]!;
        // What is missing is the first entry times 0, so that no stranger's NaN comes in.
        columns[at] = indices[present ? first + k : first]!;
        factors[at] = present ? weights[first + k]! : 0;
      }
    }
  }
  const groups = weightedSums(x, columns, factors, count, size);
  if (count === rows.length) return { groups, next: undefined };
  const next = {
    rows: rows.length,
    columns: count,
    starts: groupStarts,
    indices: Int32Array.from({ length: count }, (_, i) => i),
    weights: new Float32Array(count).fill(1),
  };
  return { groups, next };
}

/** For each of `count` groups the weighted sum of `size` rows of x, in pieces of bounded memory. */
function weightedSums(
  x: tf.Tensor2D,
  columns: Int32Array,
  factors: Float32Array,
  count: number,
  size: number,
): tf.Tensor2D {
  const perPiece = Math.max(1, Math.floor(MOST_GATHERED / (size * x.shape[1])));
  const pieces: tf.Tensor2D[] = [];
  for (let from = 0; from < count; from += perPiece) {
    const to = Math.min(from + perPiece, count);
    const piece = tf.tidy(() => {
      const indices = tf.tensor2d(columns.subarray(from * size, to * size), [to - from, size], 'int32');
      const weights = tf.tensor3d(factors.subarray(from * size, to * size), [to - from, size, 1]);
      return tf.sum(tf.mul(tf.gather(x, indices), weights), 1) as tf.Tensor2D;
    });
    pieces.push(piece);
  }
  return pieces.length === 1 ? pieces[0]! : tf.concat(pieces, 0);
}

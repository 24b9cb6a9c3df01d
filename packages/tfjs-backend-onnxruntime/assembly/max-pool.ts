// Max-pooling and its gradient. A map is [rows, columns, channels] float32, at `x`. The window of the output pixel (0, 0)
// begins at row `top` and column `left` of it, which may be negative: what is outside is left out.

/** The maximum of four channels over the rows and columns of a window that begins at `at`. NaN wins. */
function most(at: usize, rows: i32, columns: i32, row: usize, column: usize): v128 {
  let best = v128.load(at);
  let isNaN = f32x4.ne(best, best); // a maximum that keeps NaN by itself costs three times as much
  for (let h = 0; h < rows; h++) {
    let from = at + <usize>h * row;
    for (let w = 0; w < columns; w++) {
      const value = v128.load(from);
      best = f32x4.pmax(best, value);
      isNaN = v128.or(isNaN, f32x4.ne(value, value));
      from += column;
    }
  }
  return v128.or(best, isNaN); // all bits set: not a number
}

function most1(at: usize, rows: i32, columns: i32, row: usize, column: usize): f32 {
  let best = load<f32>(at);
  for (let h = 0; h < rows; h++) {
    let from = at + <usize>h * row;
    for (let w = 0; w < columns; w++) {
      best = max(best, load<f32>(from));
      from += column;
    }
  }
  return best;
}

/** Adds four gradients to the first place in the window where the maximum stands (the first NaN, if it is NaN). */
function give(at: usize, dx: usize, gradient: v128, rows: i32, columns: i32, row: usize, column: usize): void {
  const best = most(at, rows, columns, row, column);
  const isNaN = f32x4.ne(best, best);
  let waiting = i32x4.splat(-1);
  for (let h = 0; h < rows; h++) {
    let offset = <usize>h * row;
    for (let w = 0; w < columns; w++) {
      const value = v128.load(at + offset);
      const equal = v128.or(f32x4.eq(value, best), v128.and(isNaN, f32x4.ne(value, value)));
      const hit = v128.and(equal, waiting);
      const to = dx + offset;
      v128.store(to, f32x4.add(v128.load(to), v128.and(gradient, hit)));
      waiting = v128.andnot(waiting, hit);
      offset += column;
    }
  }
}

function give1(at: usize, dx: usize, gradient: f32, rows: i32, columns: i32, row: usize, column: usize): void {
  const best = most1(at, rows, columns, row, column);
  for (let h = 0; h < rows; h++) {
    let offset = <usize>h * row;
    for (let w = 0; w < columns; w++) {
      const value = load<f32>(at + offset);
      if (value == best || (value != value && best != best)) {
        store<f32>(dx + offset, load<f32>(dx + offset) + gradient);
        return;
      }
      offset += column;
    }
  }
}

/** Writes `outRows` rows of maxima to `y`; with `dx`, takes them as gradients and adds them there, a map as large as `x`. */
export function maxPool(
  x: usize,
  rows: i32,
  columns: i32,
  channels: i32,
  y: usize,
  outRows: i32,
  outColumns: i32,
  filterHeight: i32,
  filterWidth: i32,
  strideHeight: i32,
  strideWidth: i32,
  top: i32,
  left: i32,
  dx: usize,
): void {
  const column = (<usize>channels) << 2;
  const row = <usize>columns * column;
  const whole = channels & ~3;
  let out = y;
  for (let i = 0; i < outRows; i++) {
    const firstRow = max(0, top + i * strideHeight);
    const countRows = min(rows, top + i * strideHeight + filterHeight) - firstRow;
    for (let j = 0; j < outColumns; j++) {
      const firstColumn = max(0, left + j * strideWidth);
      const countColumns = min(columns, left + j * strideWidth + filterWidth) - firstColumn;
      const offset = <usize>firstRow * row + <usize>firstColumn * column;
      const empty = countRows <= 0 || countColumns <= 0;
      let c = 0;
      for (; c < whole; c += 4, out += 16) {
        const at = offset + ((<usize>c) << 2);
        if (dx == 0)
          v128.store(out, empty ? f32x4.splat(-Infinity) : most(x + at, countRows, countColumns, row, column));
        else if (!empty) give(x + at, dx + at, v128.load(out), countRows, countColumns, row, column);
      }
      for (; c < channels; c++, out += 4) {
        const at = offset + ((<usize>c) << 2);
        if (dx == 0) store<f32>(out, empty ? -Infinity : most1(x + at, countRows, countColumns, row, column));
        else if (!empty) give1(x + at, dx + at, load<f32>(out), countRows, countColumns, row, column);
      }
    }
  }
}

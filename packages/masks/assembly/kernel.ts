// Finds where bitmaps turn between background and object, 128-bit SIMD. AssemblyScript; built by `tools/shared/kernel.mjs`.
// A pixel is object when its byte is not 0. Run lengths are u32, column-major, background first.
export { mergeTurns, readTurns, writeRuns } from './merge';

/** Sixteen pixels at `at` as bits: 1 is object. */
function objectBits(at: usize): i32 {
  return ~i8x16.bitmask(i8x16.eq(v128.load(at), i8x16.splat(0))) & 0xffff;
}

/** From `i` on, the first of the steps of 128 pixels that holds object, or that does not fit before `n`. */
function skipBackground(bitmap: usize, start: i32, n: i32): i32 {
  let i = start;
  for (; i + 128 <= n; i += 128) {
    const at = bitmap + <usize>i;
    const low = v128.or(v128.or(v128.load(at), v128.load(at, 16)), v128.or(v128.load(at, 32), v128.load(at, 48)));
    const high = v128.or(v128.or(v128.load(at, 64), v128.load(at, 80)), v128.or(v128.load(at, 96), v128.load(at, 112)));
    if (v128.any_true(v128.or(low, high))) break;
  }
  return i;
}

/** The same for background, inside of an object. */
function skipObject(bitmap: usize, start: i32, n: i32): i32 {
  let i = start;
  for (; i + 64 <= n; i += 64) {
    const at = bitmap + <usize>i;
    const low = i8x16.min_u(v128.load(at), v128.load(at, 16));
    const high = i8x16.min_u(v128.load(at, 32), v128.load(at, 48));
    if (!i8x16.all_true(i8x16.min_u(low, high))) break;
  }
  return i;
}

/** Run lengths of the column-major bitmap of `n` pixels at `bitmap`. Gives their number, or -1 beyond `capacity`. */
export function scanColumns(bitmap: usize, n: i32, out: usize, capacity: i32): i32 {
  let count = 0;
  let inside = 0; // 0 or 1
  let before = 0; // where the run began
  let i = 0;
  while (i + 16 <= n) {
    i = inside == 0 ? skipBackground(bitmap, i, n) : skipObject(bitmap, i, n);
    let turns = 0;
    for (; turns == 0 && i + 16 <= n; i += 16) {
      const bits = objectBits(bitmap + <usize>i);
      turns = (bits ^ ((bits << 1) | inside)) & 0xffff;
      inside = (bits >>> 15) & 1;
    }
    if (turns == 0) break;
    if (count + 16 >= capacity) return -1;
    do {
      const turn = i - 16 + ctz(turns);
      store<u32>(out + ((<usize>count) << 2), turn - before);
      before = turn;
      count++;
      turns &= turns - 1;
    } while (turns != 0);
  }
  for (; i < n; i++) {
    const now = i32(load<u8>(bitmap + <usize>i) != 0);
    if (now != inside) {
      if (count + 1 >= capacity) return -1;
      store<u32>(out + ((<usize>count) << 2), i - before);
      before = i;
      count++;
      inside = now;
    }
  }
  store<u32>(out + ((<usize>count) << 2), n - before);
  return count + 1;
}

/**
 * Run lengths of the row-major bitmap at `bitmap`. Turns are found row by row (a pixel that differs from the one above
 * it turns), with their columns in `found`, and then sorted into columns by counting. `starts` has room for width + 1
 * numbers that are 0. Gives the number of runs, or -1 beyond `capacity`.
 */
export function scanRows(
  bitmap: usize,
  height: i32,
  width: i32,
  found: usize,
  starts: usize,
  out: usize,
  capacity: i32,
): i32 {
  let count = 0;
  let before = 0; // the foot of the column before
  const last = bitmap + <usize>((height - 1) * width);
  for (let x = 0; x < width; x++) {
    const now = i32(load<u8>(bitmap + <usize>x) != 0);
    if (now != before) {
      if (count + 1 >= capacity) return -1;
      count = note(found, starts, count, x, x * height);
    }
    before = i32(load<u8>(last + <usize>x) != 0);
  }
  for (let y = 1; y < height; y++) {
    const row = bitmap + <usize>(y * width);
    const above = row - <usize>width;
    let x = 0;
    while (x + 16 <= width) {
      if (x + 64 <= width) {
        const p = row + <usize>x;
        const q = above + <usize>x;
        const differ = v128.or(
          v128.or(v128.xor(v128.load(p), v128.load(q)), v128.xor(v128.load(p, 16), v128.load(q, 16))),
          v128.or(v128.xor(v128.load(p, 32), v128.load(q, 32)), v128.xor(v128.load(p, 48), v128.load(q, 48))),
        );
        if (!v128.any_true(differ)) {
          x += 64;
          continue;
        }
      }
      let turns = objectBits(row + <usize>x) ^ objectBits(above + <usize>x);
      if (turns != 0) {
        if (count + 16 >= capacity) return -1;
        do {
          const column = x + ctz(turns);
          count = note(found, starts, count, column, column * height + y);
          turns &= turns - 1;
        } while (turns != 0);
      }
      x += 16;
    }
    for (; x < width; x++) {
      if (i32(load<u8>(row + <usize>x) != 0) != i32(load<u8>(above + <usize>x) != 0)) {
        if (count + 1 >= capacity) return -1;
        count = note(found, starts, count, x, x * height + y);
      }
    }
  }
  sortIntoColumns(found, starts, width, out, count);
  return lengthsBetween(out, count, height * width);
}

function note(found: usize, starts: usize, count: i32, column: i32, position: i32): i32 {
  const at = found + ((<usize>count) << 3);
  store<u32>(at, column);
  store<u32>(at, position, 4);
  const size = starts + ((<usize>(column + 1)) << 2);
  store<u32>(size, load<u32>(size) + 1);
  return count + 1;
}

function sortIntoColumns(found: usize, starts: usize, width: i32, out: usize, count: i32): void {
  let sum: u32 = 0;
  for (let x = 0; x <= width; x++) {
    const at = starts + ((<usize>x) << 2);
    sum += load<u32>(at);
    store<u32>(at, sum);
  }
  for (let i = 0; i < count; i++) {
    const at = found + ((<usize>i) << 3);
    const place = starts + ((<usize>load<u32>(at)) << 2);
    const to = load<u32>(place);
    store<u32>(out + ((<usize>to) << 2), load<u32>(at, 4));
    store<u32>(place, to + 1);
  }
}

/** Turns the `count` ascending positions at `out`, in place, into the lengths of the runs between them. */
function lengthsBetween(out: usize, count: i32, pixels: i32): i32 {
  let before: u32 = 0;
  for (let i = 0; i < count; i++) {
    const at = out + ((<usize>i) << 2);
    const turn = load<u32>(at);
    store<u32>(at, turn - before);
    before = turn;
  }
  store<u32>(out + ((<usize>count) << 2), <u32>pixels - before);
  return count + 1;
}

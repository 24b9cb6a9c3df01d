// The axes of an array of float32 reversed, 128-bit SIMD. AssemblyScript; built by `tools/shared/kernel.mjs`.
// Addresses and steps are in bytes.

/** All ones in a float32 that is NaN or infinite. */
const EXPONENT: i32 = 0x7f800000;

/**
 * `[rows, columns, inner]` at `source`, its rows `step` apart, to `[inner, columns, rows]` at `target`. Sixteen rows at a
 * time, so that each line of the cache is written whole; in these, squares of four by four.
 * @returns whether all are finite: of none are all bits of the exponent set
 */
export function reverse(rows: i32, columns: i32, inner: i32, source: usize, step: usize, target: usize): bool {
  const exponent = i32x4.splat(EXPONENT);
  let strange = i32x4.splat(0);
  let odd = false;
  const length = columns * inner;
  for (let row = 0; row < rows; row += 16) {
    const end = min(row + 16, rows);
    let column = 0;
    let place = 0; // in `inner`
    for (let at = 0; at < length; at += 4) {
      const count = min(4, length - at);
      // Where the next four numbers of a row go.
      const to0 = target + 4 * (<usize>(place * columns + column) * rows + row);
      if (++place === inner) {
        place = 0;
        column++;
      }
      const to1 = target + 4 * (<usize>(place * columns + column) * rows + row);
      if (++place === inner) {
        place = 0;
        column++;
      }
      const to2 = target + 4 * (<usize>(place * columns + column) * rows + row);
      if (++place === inner) {
        place = 0;
        column++;
      }
      const to3 = target + 4 * (<usize>(place * columns + column) * rows + row);
      if (++place === inner) {
        place = 0;
        column++;
      }
      let from = source + <usize>row * step + 4 * <usize>at;
      let done = row;
      let shift: usize = 0;
      if (count === 4) {
        for (; done + 4 <= end; done += 4) {
          const a = v128.load(from);
          const b = v128.load(from + step);
          const c = v128.load(from + 2 * step);
          const d = v128.load(from + 3 * step);
          strange = v128.or(strange, v128.or(notFinite(a, exponent), notFinite(b, exponent)));
          strange = v128.or(strange, v128.or(notFinite(c, exponent), notFinite(d, exponent)));
          const ab0 = i32x4.shuffle(a, b, 0, 4, 1, 5);
          const ab1 = i32x4.shuffle(a, b, 2, 6, 3, 7);
          const cd0 = i32x4.shuffle(c, d, 0, 4, 1, 5);
          const cd1 = i32x4.shuffle(c, d, 2, 6, 3, 7);
          v128.store(to0 + shift, i64x2.shuffle(ab0, cd0, 0, 2));
          v128.store(to1 + shift, i64x2.shuffle(ab0, cd0, 1, 3));
          v128.store(to2 + shift, i64x2.shuffle(ab1, cd1, 0, 2));
          v128.store(to3 + shift, i64x2.shuffle(ab1, cd1, 1, 3));
          from += 4 * step;
          shift += 16;
        }
      }
      for (; done < end; done++, from += step, shift += 4) {
        for (let i = 0; i < count; i++) {
          const word = load<i32>(from + 4 * <usize>i);
          odd = odd || (word & EXPONENT) === EXPONENT;
          store<i32>((i === 0 ? to0 : i === 1 ? to1 : i === 2 ? to2 : to3) + shift, word);
        }
      }
    }
  }
  return !odd && !v128.any_true(strange);
}

/** Ones where a number is NaN or infinite. */
function notFinite(words: v128, exponent: v128): v128 {
  return i32x4.eq(v128.and(words, exponent), exponent);
}

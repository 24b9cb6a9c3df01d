// Winograd's F(4x4, 3x3) (Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", arXiv:1509.09308): tiles of
// 6x6 pixels, of which a 3x3 correlation with stride 1 makes 4x4. The points at which the polynomials are taken are 0,
// 1/r, -1/r, -r, r and infinity, for r the root of 2: they round off less than the usual 0, 1, -1, 2, -2 (Barabasz and
// others, arXiv:1803.10986), and turning a filter around is reading its 36 numbers backwards. Four channels at a time, in
// 128-bit SIMD, channels last; addresses and distances in bytes. A transform of a tile is one of numbers in a row, done to
// its columns and then to the rows of the result, which waits in `spare`.

const R: f32 = 1.4142135623730951;

function times(factor: f32, value: v128): v128 {
  return f32x4.mul(f32x4.splat(factor), value);
}

/**
 * A factor for four numbers, kept in a register through a loop: it goes through memory, because a constant would be made
 * anew, by several instructions, wherever it is used.
 */
function kept(factor: f32, spare: usize): v128 {
  v128.store(spare, f32x4.splat(factor));
  return v128.load(spare);
}

function twice(value: v128): v128 {
  return f32x4.add(value, value);
}

/**
 * Transforms of a tile's columns or rows, each written into its loops, where the distances are constants. Factors are
 * {@link kept}: `r2` is r / 2, `r4` r / 4 and `rr` 2 r.
 */
class Rows {
  /** Of the input: 6 numbers to 6. */
  @inline
  static input(
    from: usize,
    step: usize,
    to: usize,
    toStep: usize,
    r2: v128,
    r4: v128,
    fourth: v128,
    twoAndHalf: v128,
  ): void {
    const d0 = v128.load(from);
    const d1 = v128.load(from + step);
    const d2 = v128.load(from + 2 * step);
    const d3 = v128.load(from + 3 * step);
    const d4 = v128.load(from + 4 * step);
    const d5 = v128.load(from + 5 * step);
    const near = f32x4.sub(twice(d2), d4);
    const nearOdd = f32x4.mul(r2, f32x4.sub(twice(d1), d3));
    const far = f32x4.mul(fourth, f32x4.sub(twice(d4), d2));
    const farOdd = f32x4.mul(r4, f32x4.sub(twice(d3), d1));
    v128.store(to, f32x4.add(f32x4.sub(d0, f32x4.mul(twoAndHalf, d2)), d4));
    v128.store(to + toStep, f32x4.add(near, nearOdd));
    v128.store(to + 2 * toStep, f32x4.sub(near, nearOdd));
    v128.store(to + 3 * toStep, f32x4.sub(far, farOdd));
    v128.store(to + 4 * toStep, f32x4.add(far, farOdd));
    v128.store(to + 5 * toStep, f32x4.add(f32x4.sub(d1, f32x4.mul(twoAndHalf, d3)), d5));
  }

  /** Of the products: 6 numbers to 4. */
  @inline
  static output(from: usize, step: usize, to: usize, toStep: usize, half: v128, r2: v128, r4: v128, rr: v128): void {
    const m1 = v128.load(from + step);
    const m2 = v128.load(from + 2 * step);
    const m3 = v128.load(from + 3 * step);
    const m4 = v128.load(from + 4 * step);
    const near = f32x4.add(m1, m2);
    const nearOdd = f32x4.sub(m1, m2);
    const far = f32x4.add(m3, m4);
    const farOdd = f32x4.sub(m4, m3);
    v128.store(to, f32x4.add(f32x4.add(v128.load(from), near), far));
    v128.store(to + toStep, f32x4.mul(r2, f32x4.add(nearOdd, twice(farOdd))));
    v128.store(to + 2 * toStep, f32x4.add(f32x4.mul(half, near), twice(far)));
    const last = f32x4.add(f32x4.mul(r4, nearOdd), f32x4.mul(rr, farOdd));
    v128.store(to + 3 * toStep, f32x4.add(last, v128.load(from + 5 * step)));
  }

  /** The way back from the output: 4 numbers to 6. */
  @inline
  static spread(from: usize, step: usize, to: usize, toStep: usize, half: v128, r2: v128, r4: v128, rr: v128): void {
    const d0 = v128.load(from);
    const d1 = v128.load(from + step);
    const d2 = v128.load(from + 2 * step);
    const d3 = v128.load(from + 3 * step);
    const near = f32x4.add(d0, f32x4.mul(half, d2));
    const nearOdd = f32x4.add(f32x4.mul(r2, d1), f32x4.mul(r4, d3));
    const far = f32x4.add(d0, twice(d2));
    const farOdd = f32x4.add(twice(f32x4.mul(r2, d1)), f32x4.mul(rr, d3));
    v128.store(to, d0);
    v128.store(to + toStep, f32x4.add(near, nearOdd));
    v128.store(to + 2 * toStep, f32x4.sub(near, nearOdd));
    v128.store(to + 3 * toStep, f32x4.sub(far, farOdd));
    v128.store(to + 4 * toStep, f32x4.add(far, farOdd));
    v128.store(to + 5 * toStep, d3);
  }
}

/** Of the filter: 3 numbers to 6. */
function filter1(from: usize, step: usize, to: usize, toStep: usize): void {
  const g0 = v128.load(from);
  const g1 = times(R / 3, v128.load(from + step));
  const g2 = v128.load(from + 2 * step);
  const near = f32x4.add(times(2.0 / 3, g0), times(1.0 / 3, g2));
  const far = f32x4.add(times(1.0 / 3, g0), times(2.0 / 3, g2));
  v128.store(to, g0);
  v128.store(to + toStep, f32x4.add(near, g1));
  v128.store(to + 2 * toStep, f32x4.sub(near, g1));
  v128.store(to + 3 * toStep, f32x4.sub(far, g1));
  v128.store(to + 4 * toStep, f32x4.add(far, g1));
  v128.store(to + 5 * toStep, g2);
}

/** The way back to the filter: 6 numbers to 3. */
function gather1(from: usize, step: usize, to: usize, toStep: usize): void {
  const u1 = v128.load(from + step);
  const u2 = v128.load(from + 2 * step);
  const u3 = v128.load(from + 3 * step);
  const u4 = v128.load(from + 4 * step);
  const near = f32x4.add(u1, u2);
  const far = f32x4.add(u3, u4);
  const odd = f32x4.add(f32x4.sub(u1, u2), f32x4.sub(u4, u3));
  const first = f32x4.add(times(2.0 / 3, near), times(1.0 / 3, far));
  const last = f32x4.add(times(1.0 / 3, near), times(2.0 / 3, far));
  v128.store(to, f32x4.add(v128.load(from), first));
  v128.store(to + toStep, times(R / 3, odd));
  v128.store(to + 2 * toStep, f32x4.add(last, v128.load(from + 5 * step)));
}

/** Vectors of four numbers in a line of the cache. */
const LINE: usize = 4;
/** Bytes of 36 numbers for each channel of a line. */
const ROOM = 36 * LINE * 16;

/** Copies a line, of which the last one of a pixel may have fewer vectors. */
function copyLine(from: usize, to: usize, vectors: usize): void {
  if (vectors < LINE) {
    for (let g: usize = 0; g < vectors; g++) v128.store(to + 16 * g, v128.load(from + 16 * g));
    return;
  }
  const first = v128.load(from);
  const second = v128.load(from + 16);
  const third = v128.load(from + 32);
  const fourth = v128.load(from + 48);
  v128.store(to, first);
  v128.store(to + 16, second);
  v128.store(to + 32, third);
  v128.store(to + 48, fourth);
}

/**
 * Hands 36 lines at `room` out to their planes. Line by line: the planes lie so that single vectors of all
 * 36 would push each other out of the cache before their lines are full.
 */
function handOut(from: usize, to: usize, plane: usize, vectors: usize): void {
  for (let i: usize = 0; i < 36; i++) {
    copyLine(from, to, vectors);
    from += 16 * LINE;
    to += plane;
  }
}

/** The way back of {@link handOut}, from 36 planes, `vectors` of each. */
function bringIn(from: usize, plane: usize, to: usize, vectors: usize): void {
  for (let i: usize = 0; i < 36; i++) {
    copyLine(from, to, vectors);
    from += plane;
    to += 16 * LINE;
  }
}

/**
 * A row of tiles of the input: `x` is 6 rows of 4 `tiles` + 2 pixels, `row` bytes apart; to the 36 planes `plane` bytes
 * apart at `v`, `[tiles, channels]` each.
 */
export function winogradInput(
  x: usize,
  row: usize,
  channels: usize,
  tiles: usize,
  v: usize,
  plane: usize,
  spare: usize,
): void {
  const column = channels << 2;
  const room = spare + ROOM;
  const r2 = kept(R / 2, spare);
  const r4 = kept(R / 4, spare);
  const fourth = kept(0.25, spare);
  const twoAndHalf = kept(2.5, spare);
  let to = v;
  for (let tile: usize = 0; tile < tiles; tile++) {
    let from = x + 4 * tile * column;
    for (let c: usize = 0; c < channels; c += 4 * LINE) {
      const vectors = min<usize>(LINE, (channels - c) >> 2);
      for (let g: usize = 0; g < vectors; g++) {
        for (let j: usize = 0; j < 6; j++)
          Rows.input(from + j * column, row, spare + 16 * j, 96, r2, r4, fourth, twoAndHalf);
        for (let i: usize = 0; i < 6; i++) {
          Rows.input(spare + 96 * i, 16, room + 384 * i + 16 * g, 64, r2, r4, fourth, twoAndHalf);
        }
        from += 16;
      }
      handOut(room, to, plane, vectors);
      to += 16 * vectors;
    }
  }
}

/** A row of tiles of the result: from 36 planes at `m` to 4 rows of 4 `tiles` pixels at `y`. */
export function winogradOutput(
  m: usize,
  plane: usize,
  channels: usize,
  tiles: usize,
  y: usize,
  row: usize,
  spare: usize,
): void {
  const column = channels << 2;
  const room = spare + ROOM;
  const half = kept(0.5, spare);
  const r2 = kept(R / 2, spare);
  const r4 = kept(R / 4, spare);
  const rr = kept(2 * R, spare);
  let from = m;
  for (let tile: usize = 0; tile < tiles; tile++) {
    let to = y + 4 * tile * column;
    for (let c: usize = 0; c < channels; c += 4 * LINE) {
      const vectors = min<usize>(LINE, (channels - c) >> 2);
      bringIn(from, plane, room, vectors);
      for (let g: usize = 0; g < vectors; g++) {
        for (let j: usize = 0; j < 6; j++) {
          Rows.output(room + 64 * j + 16 * g, 384, spare + 16 * j, 96, half, r2, r4, rr);
        }
        for (let i: usize = 0; i < 4; i++) Rows.output(spare + 96 * i, 16, to + i * row, column, half, r2, r4, rr);
        to += 16;
      }
      from += 16 * vectors;
    }
  }
}

/** The way back of `winogradOutput`: from 4 rows of gradients at `dy` to 36 planes at `z`. */
export function winogradSpread(
  dy: usize,
  row: usize,
  channels: usize,
  tiles: usize,
  z: usize,
  plane: usize,
  spare: usize,
): void {
  const column = channels << 2;
  const room = spare + ROOM;
  const half = kept(0.5, spare);
  const r2 = kept(R / 2, spare);
  const r4 = kept(R / 4, spare);
  const rr = kept(2 * R, spare);
  let to = z;
  for (let tile: usize = 0; tile < tiles; tile++) {
    let from = dy + 4 * tile * column;
    for (let c: usize = 0; c < channels; c += 4 * LINE) {
      const vectors = min<usize>(LINE, (channels - c) >> 2);
      for (let g: usize = 0; g < vectors; g++) {
        for (let j: usize = 0; j < 4; j++) Rows.spread(from + j * column, row, spare + 16 * j, 64, half, r2, r4, rr);
        for (let i: usize = 0; i < 6; i++) {
          Rows.spread(spare + 64 * i, 16, room + 384 * i + 16 * g, 64, half, r2, r4, rr);
        }
        from += 16;
      }
      handOut(room, to, plane, vectors);
      to += 16 * vectors;
    }
  }
}

/** `count` weights of each of 9 taps, `size` bytes apart at `taps`, to 36 planes as far apart at `u`. */
export function winogradFilter(taps: usize, size: usize, count: usize, u: usize, spare: usize): void {
  for (let at: usize = 0; at < 4 * count; at += 16) {
    for (let j: usize = 0; j < 3; j++) filter1(taps + j * size + at, 3 * size, spare + 16 * j, 48);
    for (let i: usize = 0; i < 6; i++) filter1(spare + 48 * i, 16, u + 6 * i * size + at, size);
  }
}

/** The way back of `winogradFilter`: 36 planes of gradients to those of 9 taps. */
export function winogradGather(u: usize, size: usize, count: usize, taps: usize, spare: usize): void {
  for (let at: usize = 0; at < 4 * count; at += 16) {
    for (let j: usize = 0; j < 6; j++) gather1(u + j * size + at, 6 * size, spare + 16 * j, 96);
    for (let i: usize = 0; i < 3; i++) gather1(spare + 96 * i, 16, taps + 3 * i * size + at, size);
  }
}

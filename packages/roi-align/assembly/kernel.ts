// The inner loops of RoIAlign, 128-bit SIMD, channels last. AssemblyScript; built by `build/kernel.mjs`.
//
// One call handles one RoI. Its bins read a map through taps (see src/taps.ts): bin (i, j) is the sum over the row taps
// of i and the column taps of j. `starts` are i32 (one more than bins), `offsets` are bytes from the map, `weights` are
// f32. For every bin the products of its taps are first listed at `list`: i32 address, f32 weight.

/** Lists the taps of a bin; gives the end of the list. */
function listTaps(
  list: usize,
  map: usize,
  rowFrom: i32,
  rowTo: i32,
  rowOffsets: usize,
  rowWeights: usize,
  columnFrom: i32,
  columnTo: i32,
  columnOffsets: usize,
  columnWeights: usize,
): usize {
  let end = list;
  for (let y = rowFrom; y < rowTo; y++) {
    const row = map + <usize>load<u32>(rowOffsets + ((<usize>y) << 2));
    const rowWeight = load<f32>(rowWeights + ((<usize>y) << 2));
    for (let x = columnFrom; x < columnTo; x++) {
      store<u32>(end, <u32>(row + <usize>load<u32>(columnOffsets + ((<usize>x) << 2))));
      store<f32>(end, rowWeight * load<f32>(columnWeights + ((<usize>x) << 2)), 4);
      end += 8;
    }
  }
  return end;
}

/** Writes the `rows * columns * channels` values of a RoI to `out`. */
export function forward(
  map: usize,
  out: usize,
  channels: i32,
  rows: i32,
  columns: i32,
  rowStarts: usize,
  rowOffsets: usize,
  rowWeights: usize,
  columnStarts: usize,
  columnOffsets: usize,
  columnWeights: usize,
  list: usize,
): void {
  const bytes = (<usize>channels) << 2;
  const wide = bytes & ~127;
  const narrow = bytes & ~15;
  for (let i = 0; i < rows; i++) {
    const rowFrom = load<i32>(rowStarts + ((<usize>i) << 2));
    const rowTo = load<i32>(rowStarts + ((<usize>i) << 2), 4);
    for (let j = 0; j < columns; j++) {
      const end = listTaps(
        list,
        map,
        rowFrom,
        rowTo,
        rowOffsets,
        rowWeights,
        load<i32>(columnStarts + ((<usize>j) << 2)),
        load<i32>(columnStarts + ((<usize>j) << 2), 4),
        columnOffsets,
        columnWeights,
      );
      let c: usize = 0;
      for (; c < wide; c += 128) {
        let s0 = f32x4.splat(0),
          s1 = f32x4.splat(0),
          s2 = f32x4.splat(0),
          s3 = f32x4.splat(0);
        let s4 = f32x4.splat(0),
          s5 = f32x4.splat(0),
          s6 = f32x4.splat(0),
          s7 = f32x4.splat(0);
        for (let tap = list; tap < end; tap += 8) {
          const from = <usize>load<u32>(tap) + c;
          const weight = v128.load32_splat(tap, 4);
          s0 = f32x4.add(s0, f32x4.mul(weight, v128.load(from)));
          s1 = f32x4.add(s1, f32x4.mul(weight, v128.load(from, 16)));
          s2 = f32x4.add(s2, f32x4.mul(weight, v128.load(from, 32)));
          s3 = f32x4.add(s3, f32x4.mul(weight, v128.load(from, 48)));
          s4 = f32x4.add(s4, f32x4.mul(weight, v128.load(from, 64)));
          s5 = f32x4.add(s5, f32x4.mul(weight, v128.load(from, 80)));
          s6 = f32x4.add(s6, f32x4.mul(weight, v128.load(from, 96)));
          s7 = f32x4.add(s7, f32x4.mul(weight, v128.load(from, 112)));
        }
        v128.store(out + c, s0);
        v128.store(out + c, s1, 16);
        v128.store(out + c, s2, 32);
        v128.store(out + c, s3, 48);
        v128.store(out + c, s4, 64);
        v128.store(out + c, s5, 80);
        v128.store(out + c, s6, 96);
        v128.store(out + c, s7, 112);
      }
      for (; c < narrow; c += 16) {
        let sum = f32x4.splat(0);
        for (let tap = list; tap < end; tap += 8) {
          sum = f32x4.add(sum, f32x4.mul(v128.load32_splat(tap, 4), v128.load(<usize>load<u32>(tap) + c)));
        }
        v128.store(out + c, sum);
      }
      for (; c < bytes; c += 4) {
        let sum: f32 = 0;
        for (let tap = list; tap < end; tap += 8) sum += load<f32>(tap, 4) * load<f32>(<usize>load<u32>(tap) + c);
        store<f32>(out + c, sum);
      }
      out += bytes;
    }
  }
}

/** Adds the gradient of a RoI, `rows * columns * channels` values at `dy`, to the gradient of its map. */
export function backward(
  map: usize,
  dy: usize,
  channels: i32,
  rows: i32,
  columns: i32,
  rowStarts: usize,
  rowOffsets: usize,
  rowWeights: usize,
  columnStarts: usize,
  columnOffsets: usize,
  columnWeights: usize,
  list: usize,
): void {
  const bytes = (<usize>channels) << 2;
  const wide = bytes & ~127;
  const narrow = bytes & ~15;
  for (let i = 0; i < rows; i++) {
    const rowFrom = load<i32>(rowStarts + ((<usize>i) << 2));
    const rowTo = load<i32>(rowStarts + ((<usize>i) << 2), 4);
    for (let j = 0; j < columns; j++) {
      const end = listTaps(
        list,
        map,
        rowFrom,
        rowTo,
        rowOffsets,
        rowWeights,
        load<i32>(columnStarts + ((<usize>j) << 2)),
        load<i32>(columnStarts + ((<usize>j) << 2), 4),
        columnOffsets,
        columnWeights,
      );
      let c: usize = 0;
      for (; c < wide; c += 128) {
        const g0 = v128.load(dy + c),
          g1 = v128.load(dy + c, 16),
          g2 = v128.load(dy + c, 32),
          g3 = v128.load(dy + c, 48);
        const g4 = v128.load(dy + c, 64),
          g5 = v128.load(dy + c, 80),
          g6 = v128.load(dy + c, 96),
          g7 = v128.load(dy + c, 112);
        for (let tap = list; tap < end; tap += 8) {
          const to = <usize>load<u32>(tap) + c;
          const weight = v128.load32_splat(tap, 4);
          v128.store(to, f32x4.add(v128.load(to), f32x4.mul(weight, g0)));
          v128.store(to, f32x4.add(v128.load(to, 16), f32x4.mul(weight, g1)), 16);
          v128.store(to, f32x4.add(v128.load(to, 32), f32x4.mul(weight, g2)), 32);
          v128.store(to, f32x4.add(v128.load(to, 48), f32x4.mul(weight, g3)), 48);
          v128.store(to, f32x4.add(v128.load(to, 64), f32x4.mul(weight, g4)), 64);
          v128.store(to, f32x4.add(v128.load(to, 80), f32x4.mul(weight, g5)), 80);
          v128.store(to, f32x4.add(v128.load(to, 96), f32x4.mul(weight, g6)), 96);
          v128.store(to, f32x4.add(v128.load(to, 112), f32x4.mul(weight, g7)), 112);
        }
      }
      for (; c < narrow; c += 16) {
        const gradient = v128.load(dy + c);
        for (let tap = list; tap < end; tap += 8) {
          const to = <usize>load<u32>(tap) + c;
          v128.store(to, f32x4.add(v128.load(to), f32x4.mul(v128.load32_splat(tap, 4), gradient)));
        }
      }
      for (; c < bytes; c += 4) {
        const gradient = load<f32>(dy + c);
        for (let tap = list; tap < end; tap += 8) {
          const to = <usize>load<u32>(tap) + c;
          store<f32>(to, load<f32>(to) + load<f32>(tap, 4) * gradient);
        }
      }
      dy += bytes;
    }
  }
}

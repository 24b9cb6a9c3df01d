// The inner loops of RoIAlign, 128-bit SIMD, channels last. AssemblyScript; built by `tools/shared/kernel.mjs`.
//
// One call handles one RoI: its spans along y and x (see `axisSpan` in src/taps.ts), in cells of the map. `map` is where the
// map's first cell lies, or would lie: only a window of it may be there, with rows `rowLength` cells apart.
// Scratch memory begins at `scratch` and holds the taps of both axes, and the taps of the bin at hand.

/** `fillTaps` of src/taps.ts, with cells as byte offsets. The reference computes in float32, and so does this. */
function fillTaps(
  starts: usize,
  offsets: usize,
  weights: usize,
  start: f32,
  length: f32,
  samples: i32,
  bins: i32,
  extent: i32,
  bytesPerCell: i32,
): void {
  const binLength = length / <f32>bins;
  const count = <f32>samples;
  const last = extent - 1;
  let used: usize = 0; // in bytes
  for (let bin = 0; bin < bins; bin++) {
    const first = used;
    store<i32>(starts + ((<usize>bin) << 2), <i32>used);
    const binStart = start + <f32>bin * binLength;
    for (let i = 0; i < samples; i++) {
      const at = binStart + ((<f32>i + 0.5) * binLength) / count;
      if (!(at >= -1 && at <= <f32>extent)) continue;
      const inside: f32 = at <= 0 ? 0 : at;
      let low = <i32>inside;
      let rest: f32 = 0;
      if (low >= last) low = last;
      else rest = inside - <f32>low;
      const offset = low * bytesPerCell;
      const weight = (<f32>1 - rest) / count;
      // Samples ascend, so a cell that has a tap already is one of the last two.
      if (used > first && load<i32>(offsets + used - 4) == offset) {
        store<f32>(weights + used - 4, load<f32>(weights + used - 4) + weight);
      } else if (used > first + 4 && load<i32>(offsets + used - 8) == offset) {
        store<f32>(weights + used - 8, load<f32>(weights + used - 8) + weight);
      } else {
        store<i32>(offsets + used, offset);
        store<f32>(weights + used, weight);
        used += 4;
      }
      if (rest == 0) continue;
      const next = offset + bytesPerCell;
      if (load<i32>(offsets + used - 4) == next) {
        store<f32>(weights + used - 4, load<f32>(weights + used - 4) + rest / count);
      } else {
        store<i32>(offsets + used, next);
        store<f32>(weights + used, rest / count);
        used += 4;
      }
    }
  }
  store<i32>(starts + ((<usize>bins) << 2), <i32>used);
}

/** Lists the taps of a bin at `list`, i32 address and f32 weight each; gives the end of the list. */
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
  for (let y = rowFrom; y < rowTo; y += 4) {
    const row = map + <usize>load<u32>(rowOffsets + <usize>y);
    const rowWeight = load<f32>(rowWeights + <usize>y);
    for (let x = columnFrom; x < columnTo; x += 4) {
      store<u32>(end, <u32>(row + <usize>load<u32>(columnOffsets + <usize>x)));
      store<f32>(end, rowWeight * load<f32>(columnWeights + <usize>x), 4);
      end += 8;
    }
  }
  return end;
}

/** Weighs what the taps of a list point at into the `bytes` of one bin at `out`. */
function readBin(list: usize, end: usize, out: usize, bytes: usize): void {
  const wide = bytes & ~127;
  const narrow = bytes & ~15;
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
}

/** Adds the `bytes` of one bin's gradient at `dy`, weighed, to what the taps of a list point at. */
function addBin(list: usize, end: usize, dy: usize, bytes: usize): void {
  const wide = bytes & ~127;
  const narrow = bytes & ~15;
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
}

/**
 * Goes through the bins of a RoI, `rows * columns` of `channels` values at `roi`: reads them off the map, or adds the
 * gradients that stand there to the gradient of the map.
 */
export function eachBin(
  adds: bool,
  map: usize,
  roi: usize,
  scratch: usize,
  room: i32,
  height: i32,
  width: i32,
  rowLength: i32,
  channels: i32,
  rows: i32,
  columns: i32,
  y: f32,
  yLength: f32,
  ySamples: i32,
  x: f32,
  xLength: f32,
  xSamples: i32,
): void {
  const tapBytes = (<usize>room) << 2;
  const rowStarts = scratch;
  const rowOffsets = rowStarts + ((<usize>(rows + 1)) << 2);
  const rowWeights = rowOffsets + tapBytes;
  const columnStarts = rowWeights + tapBytes;
  const columnOffsets = columnStarts + ((<usize>(columns + 1)) << 2);
  const columnWeights = columnOffsets + tapBytes;
  const list = columnWeights + tapBytes;
  fillTaps(rowStarts, rowOffsets, rowWeights, y, yLength, ySamples, rows, height, rowLength * channels * 4);
  fillTaps(columnStarts, columnOffsets, columnWeights, x, xLength, xSamples, columns, width, channels * 4);
  const bytes = (<usize>channels) << 2;
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
      if (adds) addBin(list, end, roi, bytes);
      else readBin(list, end, roi, bytes);
      roi += bytes;
    }
  }
}

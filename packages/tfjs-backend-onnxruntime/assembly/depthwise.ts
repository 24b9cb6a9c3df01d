// Depthwise convolution and its gradients. Maps lie with their padding, so that every window is whole: a tap is an offset
// in bytes from where a window begins, `weights` are [taps, channels], and `…Row` and `…Column` are the bytes from a pixel
// to the one below it and to the one beside it.

/** Writes `rows` x `columns` pixels of sums over the taps to `y`; `columns` is a multiple of 4. */
export function depthwise(
  x: usize,
  xRow: usize,
  xColumn: usize,
  y: usize,
  yRow: usize,
  yColumn: usize,
  rows: i32,
  columns: i32,
  channels: i32,
  taps: usize,
  count: i32,
  weights: usize,
): void {
  const bytes = (<usize>channels) << 2;
  const end8 = (<usize>(channels >> 3)) << 5;
  const end4 = (<usize>(channels >> 2)) << 4;
  const lastTap = taps + ((<usize>count) << 2);
  for (let i = 0; i < rows; i++) {
    let from = x + <usize>i * xRow;
    let to = y + <usize>i * yRow;
    for (let j = 0; j < columns; j += 4) {
      let c: usize = 0;
      for (; c < end8; c += 32) {
        let a0 = f32x4.splat(0);
        let a1 = a0;
        let a2 = a0;
        let a3 = a0;
        let b0 = a0;
        let b1 = a0;
        let b2 = a0;
        let b3 = a0;
        let weight = weights + c;
        for (let tap = taps; tap < lastTap; tap += 4, weight += bytes) {
          let at = from + c + load<u32>(tap);
          const a = v128.load(weight);
          const b = v128.load(weight, 16);
          a0 = addProduct(a0, v128.load(at), a);
          b0 = addProduct(b0, v128.load(at, 16), b);
          at += xColumn;
          a1 = addProduct(a1, v128.load(at), a);
          b1 = addProduct(b1, v128.load(at, 16), b);
          at += xColumn;
          a2 = addProduct(a2, v128.load(at), a);
          b2 = addProduct(b2, v128.load(at, 16), b);
          at += xColumn;
          a3 = addProduct(a3, v128.load(at), a);
          b3 = addProduct(b3, v128.load(at, 16), b);
        }
        let out = to + c;
        v128.store(out, a0);
        v128.store(out, b0, 16);
        out += yColumn;
        v128.store(out, a1);
        v128.store(out, b1, 16);
        out += yColumn;
        v128.store(out, a2);
        v128.store(out, b2, 16);
        out += yColumn;
        v128.store(out, a3);
        v128.store(out, b3, 16);
      }
      for (; c < end4; c += 16) {
        let a0 = f32x4.splat(0);
        let a1 = a0;
        let a2 = a0;
        let a3 = a0;
        let weight = weights + c;
        for (let tap = taps; tap < lastTap; tap += 4, weight += bytes) {
          let at = from + c + load<u32>(tap);
          const a = v128.load(weight);
          a0 = addProduct(a0, v128.load(at), a);
          at += xColumn;
          a1 = addProduct(a1, v128.load(at), a);
          at += xColumn;
          a2 = addProduct(a2, v128.load(at), a);
          at += xColumn;
          a3 = addProduct(a3, v128.load(at), a);
        }
        let out = to + c;
        v128.store(out, a0);
        out += yColumn;
        v128.store(out, a1);
        out += yColumn;
        v128.store(out, a2);
        out += yColumn;
        v128.store(out, a3);
      }
      for (; c < bytes; c += 4) {
        let out = to + c;
        for (let k: usize = 0; k < 4; k++, out += yColumn) {
          let sum: f32 = 0;
          let weight = weights + c;
          for (let tap = taps; tap < lastTap; tap += 4, weight += bytes) {
            sum += load<f32>(from + c + k * xColumn + load<u32>(tap)) * load<f32>(weight);
          }
          store<f32>(out, sum);
        }
      }
      from += xColumn << 2;
      to += yColumn << 2;
    }
  }
}

/**
 * As {@link depthwise}, for taps in threes that stand beside each other in the map, `xColumn` apart: a pixel is then read
 * once for all the windows that it is in. `channels` is a multiple of 4.
 */
export function depthwise3(
  x: usize,
  xRow: usize,
  xColumn: usize,
  y: usize,
  yRow: usize,
  yColumn: usize,
  rows: i32,
  columns: i32,
  channels: i32,
  taps: usize,
  count: i32,
  weights: usize,
): void {
  const bytes = (<usize>channels) << 2;
  const lastTap = taps + ((<usize>count) << 2);
  for (let i = 0; i < rows; i++) {
    let from = x + <usize>i * xRow;
    let to = y + <usize>i * yRow;
    for (let j = 0; j < columns; j += 4) {
      for (let c: usize = 0; c < bytes; c += 16) {
        let a0 = f32x4.splat(0);
        let a1 = a0;
        let a2 = a0;
        let a3 = a0;
        let weight = weights + c;
        for (let tap = taps; tap < lastTap; tap += 12) {
          let at = from + c + load<u32>(tap);
          const w0 = v128.load(weight);
          weight += bytes;
          const w1 = v128.load(weight);
          weight += bytes;
          const w2 = v128.load(weight);
          weight += bytes;
          let pixel = v128.load(at);
          a0 = addProduct(a0, pixel, w0);
          at += xColumn;
          pixel = v128.load(at);
          a0 = addProduct(a0, pixel, w1);
          a1 = addProduct(a1, pixel, w0);
          at += xColumn;
          pixel = v128.load(at);
          a0 = addProduct(a0, pixel, w2);
          a1 = addProduct(a1, pixel, w1);
          a2 = addProduct(a2, pixel, w0);
          at += xColumn;
          pixel = v128.load(at);
          a1 = addProduct(a1, pixel, w2);
          a2 = addProduct(a2, pixel, w1);
          a3 = addProduct(a3, pixel, w0);
          at += xColumn;
          pixel = v128.load(at);
          a2 = addProduct(a2, pixel, w2);
          a3 = addProduct(a3, pixel, w1);
          at += xColumn;
          a3 = addProduct(a3, v128.load(at), w2);
        }
        let out = to + c;
        v128.store(out, a0);
        out += yColumn;
        v128.store(out, a1);
        out += yColumn;
        v128.store(out, a2);
        out += yColumn;
        v128.store(out, a3);
      }
      from += xColumn << 2;
      to += yColumn << 2;
    }
  }
}

/** Adds to `weights` their gradients from `rows` x `columns` pixels of `dy`, which touch; `columns` is a multiple of 4. */
export function depthwiseFilter(
  x: usize,
  xRow: usize,
  xColumn: usize,
  dy: usize,
  rows: i32,
  columns: i32,
  channels: i32,
  taps: usize,
  count: i32,
  weights: usize,
): void {
  const bytes = (<usize>channels) << 2;
  const end4 = (<usize>(channels >> 2)) << 4;
  const lastTap = taps + ((<usize>count) << 2);
  let gradients = dy;
  for (let i = 0; i < rows; i++) {
    let from = x + <usize>i * xRow;
    for (let j = 0; j < columns; j += 4) {
      let c: usize = 0;
      for (; c < end4; c += 16) {
        let at = gradients + c;
        const g0 = v128.load(at);
        at += bytes;
        const g1 = v128.load(at);
        at += bytes;
        const g2 = v128.load(at);
        at += bytes;
        const g3 = v128.load(at);
        let target = weights + c;
        for (let tap = taps; tap < lastTap; tap += 4, target += bytes) {
          at = from + c + load<u32>(tap);
          let sum = addProduct(v128.load(target), v128.load(at), g0);
          at += xColumn;
          sum = addProduct(sum, v128.load(at), g1);
          at += xColumn;
          sum = addProduct(sum, v128.load(at), g2);
          at += xColumn;
          v128.store(target, addProduct(sum, v128.load(at), g3));
        }
      }
      for (; c < bytes; c += 4) {
        let target = weights + c;
        for (let tap = taps; tap < lastTap; tap += 4, target += bytes) {
          let sum = load<f32>(target);
          for (let k: usize = 0; k < 4; k++) {
            sum += load<f32>(from + c + k * xColumn + load<u32>(tap)) * load<f32>(gradients + c + k * bytes);
          }
          store<f32>(target, sum);
        }
      }
      from += xColumn << 2;
      gradients += bytes << 2;
    }
  }
}

/** As {@link depthwiseFilter}, for taps as {@link depthwise3} wants them; `channels` is a multiple of 4. */
export function depthwiseFilter3(
  x: usize,
  xRow: usize,
  xColumn: usize,
  dy: usize,
  rows: i32,
  columns: i32,
  channels: i32,
  taps: usize,
  count: i32,
  weights: usize,
): void {
  const bytes = (<usize>channels) << 2;
  const lastTap = taps + ((<usize>count) << 2);
  let gradients = dy;
  for (let i = 0; i < rows; i++) {
    let from = x + <usize>i * xRow;
    for (let j = 0; j < columns; j += 4) {
      for (let c: usize = 0; c < bytes; c += 16) {
        let at = gradients + c;
        const g0 = v128.load(at);
        at += bytes;
        const g1 = v128.load(at);
        at += bytes;
        const g2 = v128.load(at);
        at += bytes;
        const g3 = v128.load(at);
        let target = weights + c;
        for (let tap = taps; tap < lastTap; tap += 12) {
          at = from + c + load<u32>(tap);
          let a0 = addProduct(v128.load(target), v128.load(at), g0);
          at += xColumn;
          let pixel = v128.load(at);
          a0 = addProduct(a0, pixel, g1);
          let a1 = addProduct(v128.load(target + bytes), pixel, g0);
          at += xColumn;
          pixel = v128.load(at);
          a0 = addProduct(a0, pixel, g2);
          a1 = addProduct(a1, pixel, g1);
          let a2 = addProduct(v128.load(target + 2 * bytes), pixel, g0);
          at += xColumn;
          pixel = v128.load(at);
          v128.store(target, addProduct(a0, pixel, g3));
          target += bytes;
          a1 = addProduct(a1, pixel, g2);
          a2 = addProduct(a2, pixel, g1);
          at += xColumn;
          pixel = v128.load(at);
          v128.store(target, addProduct(a1, pixel, g3));
          target += bytes;
          a2 = addProduct(a2, pixel, g2);
          at += xColumn;
          v128.store(target, addProduct(a2, v128.load(at), g3));
          target += bytes;
        }
      }
      from += xColumn << 2;
      gradients += bytes << 2;
    }
  }
}

function addProduct(sum: v128, a: v128, b: v128): v128 {
  return f32x4.add(sum, f32x4.mul(a, b));
}

// One update of a block of weights in one pass, 128-bit SIMD. AssemblyScript; built by `tools/shared/kernel.mjs`.
// Addresses are in bytes and stand at float32 numbers; `count` of them, a multiple of four. Results replace what was read.

/** Adam with decoupled weight decay: the weights at `p`, their gradients at `g`, the two averages at `m` and `v`. */
export function adamw(
  count: i32,
  p: usize,
  g: usize,
  m: usize,
  v: usize,
  gradientScale: f32,
  /** 1 - beta of the mean and of the squares. */
  freshMean: f32,
  freshSquare: f32,
  /** What weight decay leaves of a weight. */
  kept: f32,
  rate: f32,
  unbiased: f32,
  epsilon: f32,
): void {
  const scale = f32x4.splat(gradientScale);
  const share1 = f32x4.splat(freshMean);
  const share2 = f32x4.splat(freshSquare);
  const stay = f32x4.splat(1 - freshSquare);
  const left = f32x4.splat(kept);
  const step = f32x4.splat(rate);
  const root = f32x4.splat(unbiased);
  const floor = f32x4.splat(epsilon);
  const end = (<usize>count) << 2;
  for (let i: usize = 0; i < end; i += 16) {
    const gradient = f32x4.mul(v128.load(g + i), scale);
    const before = v128.load(m + i);
    const mean = f32x4.add(before, f32x4.mul(f32x4.sub(gradient, before), share1));
    const square = f32x4.add(f32x4.mul(v128.load(v + i), stay), f32x4.mul(f32x4.mul(gradient, gradient), share2));
    const deviation = f32x4.add(f32x4.mul(f32x4.sqrt(square), root), floor);
    const change = f32x4.div(f32x4.mul(mean, step), deviation);
    v128.store(m + i, mean);
    v128.store(v + i, square);
    v128.store(p + i, f32x4.sub(f32x4.mul(v128.load(p + i), left), change));
  }
}

/** Gradient descent with momentum: the weights at `p`, their gradients at `g`, their velocities at `v`. */
export function sgd(
  count: i32,
  p: usize,
  g: usize,
  v: usize,
  gradientScale: f32,
  weightDecay: f32,
  momentum: f32,
  learningRate: f32,
  nesterov: bool,
): void {
  const scale = f32x4.splat(gradientScale);
  const decay = f32x4.splat(weightDecay);
  const inertia = f32x4.splat(momentum);
  const rate = f32x4.splat(learningRate);
  const end = (<usize>count) << 2;
  for (let i: usize = 0; i < end; i += 16) {
    const weight = v128.load(p + i);
    const gradient = f32x4.add(f32x4.mul(v128.load(g + i), scale), f32x4.mul(weight, decay));
    const velocity = f32x4.add(f32x4.mul(v128.load(v + i), inertia), gradient);
    const direction = nesterov ? f32x4.add(gradient, f32x4.mul(velocity, inertia)) : velocity;
    v128.store(v + i, velocity);
    v128.store(p + i, f32x4.sub(weight, f32x4.mul(direction, rate)));
  }
}

/** Moves the averages at `a` by a share of their distance to the values at `x`. */
export function approach(count: i32, a: usize, x: usize, share: f32): void {
  const part = f32x4.splat(share);
  const end = (<usize>count) << 2;
  for (let i: usize = 0; i < end; i += 16) {
    const before = v128.load(a + i);
    v128.store(a + i, f32x4.add(before, f32x4.mul(f32x4.sub(v128.load(x + i), before), part)));
  }
}

/** The sum of the squares of the numbers at `x`. */
export function squares(count: i32, x: usize): f32 {
  let even = f32x4.splat(0);
  let odd = f32x4.splat(0);
  const end = (<usize>count) << 2;
  let i: usize = 0;
  for (; i + 32 <= end; i += 32) {
    const first = v128.load(x + i);
    const second = v128.load(x + i, 16);
    even = f32x4.add(even, f32x4.mul(first, first));
    odd = f32x4.add(odd, f32x4.mul(second, second));
  }
  for (; i < end; i += 16) {
    const last = v128.load(x + i);
    even = f32x4.add(even, f32x4.mul(last, last));
  }
  const sums = f32x4.add(even, odd);
  return (
    f32x4.extract_lane(sums, 0) +
    f32x4.extract_lane(sums, 1) +
    (f32x4.extract_lane(sums, 2) + f32x4.extract_lane(sums, 3))
  );
}

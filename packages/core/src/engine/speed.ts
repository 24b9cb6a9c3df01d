import * as tf from '@tensorflow/tfjs-core';

/** How fast an engine convolves, in units of 10^9 multiplications and additions per second. */
export interface EngineSpeed {
  /** A 3x3 convolution, forward. */
  readonly forward: number;
  /** Both of its gradients together; `undefined` for an engine that cannot train. */
  readonly gradients?: number;
}

/** Sizes of the image side, tried upwards until one takes long enough to be measured. */
const SIDES = [8, 16, 32, 64, 128, 256];
const CHANNELS = 64;

/**
 * A short measure of the current backend: 3x3 convolutions of 64 channels, medians. A figure to compare engines by, not
 * a benchmark.
 * @param budget milliseconds to spend on each of the two figures, about
 */
export async function measureSpeed(trains: boolean, budget = 700): Promise<EngineSpeed> {
  const forward = await gigaflops(1, budget, (x, w) => [tf.conv2d(x, w, 1, 'same')]);
  if (!trains) return { forward };
  return { forward, gradients: await gigaflops(2, budget, bothGradients) };
}

async function gigaflops(
  convolutions: number,
  budget: number,
  run: (x: tf.Tensor4D, w: tf.Tensor4D) => tf.Tensor[],
): Promise<number> {
  let best = 0;
  for (const side of SIDES) {
    const x = tf.fill<tf.Rank.R4>([1, side, side, CHANNELS], 0.5);
    const w = tf.fill<tf.Rank.R4>([3, 3, CHANNELS, CHANNELS], 0.25);
    const once = () => timed(() => run(x, w));
    const warm = Math.min(await once(), await once()); // compiling, planning and caching happen here
    const times = [warm];
    const repeats = Math.min(15, Math.floor(budget / 2 / Math.max(warm, 0.05)));
    for (let i = 0; i < repeats; i++) times.push(await once());
    tf.dispose([x, w]);
    const operations = 2 * convolutions * side * side * CHANNELS * CHANNELS * 9;
    best = Math.max(best, operations / (median(times) * 1e6));
    if (median(times) * 8 > budget) break; // the next side costs four times as much
  }
  return best;
}

/** Milliseconds until every result has been read back, which is when a GPU is really done. */
async function timed(run: () => tf.Tensor[]): Promise<number> {
  const start = performance.now();
  const results = tf.tidy(() => run().map((result) => tf.slice(tf.reshape(result, [-1]), 0, 1)));
  await Promise.all(results.map((result) => result.data()));
  const milliseconds = performance.now() - start;
  tf.dispose(results);
  return milliseconds;
}

function bothGradients(x: tf.Tensor4D, w: tf.Tensor4D): tf.Tensor[] {
  const attributes = { strides: [1, 1], pad: 'same', dataFormat: 'NHWC' };
  const engine = tf.engine();
  return [
    engine.runKernel<tf.Tensor>(tf.Conv2DBackpropInput, { dy: x, filter: w }, { ...attributes, inputShape: x.shape }),
    engine.runKernel<tf.Tensor>(tf.Conv2DBackpropFilter, { x, dy: x }, { ...attributes, filterShape: w.shape }),
  ];
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}

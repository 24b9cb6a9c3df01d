/**
 * A thousand training steps of a small network: no tensor may be gained, and the memory of the process must stay
 * flat within 5 % after warm-up.
 *
 *   npm run bench -- endurance [--steps 1000] [--backend onnxruntime | cpu]
 */
import { parseArgs } from 'node:util';
import '@tensorflow/tfjs-layers'; // registers the gradients
import * as tf from '@tensorflow/tfjs-core';
import { BlockStack } from '../src/conformance/index.ts';
import '../src/index.ts';

const { values: options } = parseArgs({
  options: { steps: { type: 'string', default: '1000' }, backend: { type: 'string', default: 'onnxruntime' } },
});
const steps = Number(options.steps);
/** Steps after which caches and pools are full. */
const WARM = Math.min(100, steps >> 1);

await tf.setBackend(options.backend);
const network = new BlockStack(16, [{ channels: 16, stride: 1 }, { channels: 32, stride: 2 }], 3); // biome-ignore format: one line
const labels = tf.tensor2d([0, 1, 2, 0].map((label) => [0, 1, 2].map((i) => Number(i === label))));
const start = performance.now();
let warm = { tensors: 0, rss: 0 };
for (let i = 1; i <= steps; i++) {
  // Another size every step, as the images of a data set have: pools and sessions must bear that.
  const images = tf.randomUniform<tf.Rank.R4>([4, 24 + (i % 9), 40 - (i % 7), 16], -1, 1, 'float32', i);
  network.step(images, labels, 0.01);
  images.dispose();
  if (i === WARM) warm = measure();
  if (i % 100 === 0) process.stdout.write(`step ${i}: ${describe(measure())}\n`);
}
const end = measure();
const growth = end.rss / warm.rss - 1;
process.stdout.write(
  `${options.backend}: ${steps} steps in ${((performance.now() - start) / 1000).toFixed(1)} s; ` +
    `${end.tensors - warm.tensors} tensors gained, memory ${(100 * growth).toFixed(1)} % after step ${WARM}\n`,
);
process.exitCode = end.tensors === warm.tensors && growth <= 0.05 ? 0 : 1;

function measure(): { tensors: number; rss: number } {
  globalThis.gc?.();
  return { tensors: tf.memory().numTensors, rss: process.memoryUsage.rss() };
}

function describe({ tensors, rss }: { tensors: number; rss: number }): string {
  return `${tensors} tensors, ${(rss / 1e6).toFixed(0)} MB`;
}

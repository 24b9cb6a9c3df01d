/** Trains a small network on one engine and prints its memory: `train.ts ENGINE WARMUP STEPS`. One line of JSON each. */
import { type EngineName, useEngine } from '@rcnn/core';
import { BlockStack } from '@rcnn/tfjs-backend-onnxruntime/conformance';
import * as tf from '@tensorflow/tfjs-core';
import { loaders } from '../../src/engines/loaders.ts';
import type { Ending, Sample } from './sample.ts';

const [engine, warmup, steps] = [process.argv[2] as EngineName, Number(process.argv[3]), Number(process.argv[4])];

/** How many times memory is read after warm-up. */
const READINGS = 20;

const say = (line: Sample | Ending): void => console.log(JSON.stringify(line));

try {
  await useEngine(engine, { task: 'train', loaders });
} catch (error) {
  say({ missing: (error as Error).message.split('\n')[0]! });
  process.exit(0);
}
// A map of 10x16 is what plain JavaScript and a GPU in software can do a thousand times; the others take more.
const toy = engine === 'cpu' || engine === 'webgpu';
const [height, width, channels] = toy ? [10, 16, 8] : [24, 40, 16];
const network = new BlockStack(channels, [{ channels, stride: 1 }, { channels: 2 * channels, stride: 2 }], 3); // biome-ignore format: one line
const labels = tf.tensor2d([0, 1, 2, 0].map((label) => [0, 1, 2].map((i) => Number(i === label))));
const start = performance.now();
for (let step = 1; step <= warmup + steps; step++) {
  // Another size every step, as the images of a data set have: pools and sessions must bear that.
  const shape: [number, number, number, number] = [4, height + (step % 5), width - (step % 7), channels];
  const images = tf.randomUniform<tf.Rank.R4>(shape, -1, 1, 'float32', step);
  const loss = network.advance(images, labels, 0.01);
  await loss.data();
  tf.dispose([images, loss]);
  if (step >= warmup && (step - warmup) % Math.ceil(steps / READINGS) === 0) await read(step);
}
process.exit(0); // Dawn keeps the process alive

async function read(step: number): Promise<void> {
  const asItWas = process.memoryUsage.rss();
  for (let i = 0; i < 2; i++) {
    globalThis.gc!();
    await new Promise((resolve) => setImmediate(resolve)); // finalisers run in between
  }
  const seconds = (performance.now() - start) / 1000;
  say({ step, tensors: tf.memory().numTensors, asItWas, held: process.memoryUsage.rss(), seconds });
}

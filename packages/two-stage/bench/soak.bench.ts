// Many predictions in a row: does anything grow?
//   npm run bench -- soak [--times 200] [--small]
// Prints tensors and resident memory every tenth of the way. With --small a small network, else R50-FPN at 480x640.
import { benchOptions } from '@rcnn/shared/bench';
import '@rcnn/tfjs-backend-onnxruntime';
import { type PixelImage, Random } from '@rcnn/core';
import * as tf from '@tensorflow/tfjs-core';
import { maskRcnnResnet50Fpn, maskRcnnSmall } from '../src/index.ts';

const values = benchOptions({ times: { type: 'string', default: '200' }, small: { type: 'boolean', default: false } });
const times = Number(values.times);
await tf.setBackend('onnxruntime');
const options = { numClasses: 91, random: new Random(1), boxScoreThresh: 0.01 };
const model = values.small ? maskRcnnSmall(options) : maskRcnnResnet50Fpn({ ...options, minSize: 480, maxSize: 640 });
const random = new Random(2);

/** Sizes differ from image to image, as photographs do: caches that grow with every new size would show. */
function image(): PixelImage {
  const height = 320 + 16 * random.integer(20);
  const width = 320 + 16 * random.integer(20);
  return {
    data: Uint8Array.from({ length: height * width * 3 }, () => random.integer(256)),
    height,
    width,
    channels: 3,
  };
}

await model.detect([image()]); // folds the norms
const before = tf.memory().numTensors;
let masks = 0;
for (let i = 1; i <= times; i++) {
  const [found] = await model.detect([image()]);
  for (const { mask } of found!) masks += mask!.rle().counts.length > 0 ? 1 : 0;
  if (i % Math.ceil(times / 10) > 0 && i < times) continue;
  globalThis.gc?.();
  const rss = (process.memoryUsage().rss / 2 ** 20).toFixed(0);
  console.log(`${i} predictions: ${tf.memory().numTensors - before} tensors gained, ${rss} MiB resident`);
}
console.log(`${masks} masks`);
process.exitCode = tf.memory().numTensors === before ? 0 : 1;

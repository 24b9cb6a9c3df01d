import '@rcnn/tfjs-backend-onnxruntime';
import { Random } from '@rcnn/core';
import * as tf from '@tensorflow/tfjs-core';
import { CLASS_NAMES, drawShapes, SIDE } from './shapes.ts';
import { train } from './train.ts';

await tf.setBackend('onnxruntime');
const detector = await train({
  steps: 120,
  seed: 1,
  onStep: (step, loss) => {
    if (step % 20 === 0) console.log(`step ${step}: loss ${loss.toFixed(3)}`);
  },
});
const { pixels, target } = drawShapes(new Random(2));
const image = tf.tensor4d(pixels, [1, SIDE, SIDE, 3]);
for (const [i, label] of target.labels.entries()) {
  console.log(`there is a ${CLASS_NAMES[label]} at ${[...target.boxes.subarray(i * 4, i * 4 + 4)].join(', ')}`);
}
for (const { label, box, score } of await detector.detect(image)) {
  console.log(`found a ${CLASS_NAMES[label]} at ${box.map(Math.round).join(', ')} (${score.toFixed(2)})`);
}
tf.dispose(image);
detector.dispose();

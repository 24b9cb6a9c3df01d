// The work of the benchmark of compiled prediction, in a process of its own so that its peak memory is its own:
//   node --import tsx compile-work.ts r50|small compiled|uncompiled|exported [HEIGHT WIDTH]
// Answers every line on stdin by one prediction and one line of JSON, as tools/reference/time_model.py does.
import '@rcnn/tfjs-backend-onnxruntime';
import { createInterface } from 'node:readline';
import { loadStateDict } from '@rcnn/checkpoint';
import { type Detector, type PixelImage, withoutInitialising } from '@rcnn/core';
import { hashedUnits, hashedWeights } from '@rcnn/fixtures';
import { openOnnxModel } from '@rcnn/tfjs-backend-onnxruntime/model';
import { type MaskRCNN, maskRcnnResnet50Fpn, maskRcnnSmall } from '@rcnn/two-stage';
import * as tf from '@tensorflow/tfjs-core';
import { compile, exportOnnx, OnnxDetector } from '../src/index.ts';

const MODELS = {
  r50: { side: [800, 1216], make: () => maskRcnnResnet50Fpn({ minSize: 800, maxSize: 1333 }) },
  small: { side: [128, 128], make: () => maskRcnnSmall({ numClasses: 5 }) },
} as const satisfies Record<string, { readonly side: readonly [number, number]; readonly make: () => MaskRCNN }>;

const [subject = 'r50', way = 'compiled', ...asked] = process.argv.slice(2);
const { make, side } = MODELS[subject as keyof typeof MODELS];

async function detectorOf(): Promise<Detector> {
  const model = withoutInitialising(make);
  await loadStateDict(model, hashedWeights(model, 'dev/'));
  if (way === 'compiled') return compile(model);
  if (way === 'uncompiled') return model;
  const bytes = await exportOnnx(model);
  model.dispose();
  return OnnxDetector.open(bytes, openOnnxModel);
}

await tf.setBackend('onnxruntime');
const detector = await detectorOf();
const [h, w] = (asked.length > 0 ? asked.map(Number) : side) as [number, number];
const image: PixelImage = {
  data: Float32Array.from(hashedUnits('image', h * w * 3)),
  height: h,
  width: w,
  channels: 3,
};

for await (const _ of createInterface({ input: process.stdin })) {
  const start = performance.now();
  const before = process.cpuUsage();
  const [found] = await detector.detect([image]);
  const detections = found!.map(({ mask }) => mask!.rle()).length;
  const { user, system } = process.cpuUsage(before);
  const peakBytes = process.resourceUsage().maxRSS * 1024;
  console.log(
    JSON.stringify({ wall: (performance.now() - start) / 1000, cpu: (user + system) / 1e6, detections, peakBytes }),
  );
}

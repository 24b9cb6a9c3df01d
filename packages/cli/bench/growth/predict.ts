/**
 * Predictions of one size in a process of its own, so that its peak of memory is its own:
 *
 *   node --import tsx predict.ts SIDE DETECTIONS THREADS RUNS
 *
 * Prints one line of JSON.
 *
 * So that exactly DETECTIONS objects are found by a network that has learnt nothing, every class of every proposal counts
 * as found, whatever its score, and the best are kept: the masks of so many are predicted, pasted and encoded.
 */
import '@rcnn/tfjs-backend-onnxruntime';
import { type PixelImage, Random, useEngine } from '@rcnn/core';
import { maskRcnnResnet50Fpn } from 'mask-rcnn';
import { median, type Sample } from './sample.ts';

const [side, wanted, threads, runs] = process.argv.slice(2).map(Number) as [number, number, number, number];

await useEngine('onnxruntime', { threads });
const model = maskRcnnResnet50Fpn({
  minSize: side,
  maxSize: side,
  boxScoreThresh: 0,
  boxDetectionsPerImg: wanted,
  random: new Random(1),
});
const images = [noise(side)];
const wall: number[] = [];
const cpu: number[] = [];
for (let run = 0; run <= runs; run++) {
  const [start, before] = [performance.now(), process.cpuUsage()];
  const [found] = await model.detect(images);
  const count = found!.map(({ mask }) => mask!.rle()).length;
  if (count !== wanted) throw new Error(`${count} objects were found, not ${wanted}`);
  const { user, system } = process.cpuUsage(before);
  wall.push((performance.now() - start) / 1000);
  cpu.push((user + system) / 1e6);
}
// The first one folds the norms and compiles what is used.
const sample: Sample = {
  seconds: median(wall.slice(1)),
  cpu: median(cpu.slice(1)),
  peakBytes: process.resourceUsage().maxRSS * 1024,
};
console.log(JSON.stringify(sample));

function noise(side: number): PixelImage {
  const random = new Random(2);
  const data = Uint8Array.from({ length: side * side * 3 }, () => random.integer(256));
  return { data, height: side, width: side, channels: 3 };
}

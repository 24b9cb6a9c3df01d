// One timed evaluation in a process of its own: KIND TRUTH DETECTIONS files|memory|stream. Prints one JSON line.
import { createReadStream } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { createInterface } from 'node:readline';
import {
  arrayDigests,
  type Evaluation,
  evaluate,
  type ImageResult,
  type IoUType,
  StreamingEvaluator,
} from '../src/index.ts';
import { readDetections, readGroundTruth } from '../src/node/index.ts';

const [kind, truthPath, detectionsPath, source] = process.argv.slice(2) as [IoUType, string, string, string];
const times: Record<string, number> = {};
let cpuStart = process.cpuUsage();
let start = performance.now();
let last = start;
const lap = (name: string): void => {
  const now = performance.now();
  times[name] = (now - last) / 1000;
  last = now;
};

const truth = readGroundTruth(truthPath);
lap('read truth');
let evaluation: Evaluation;
if (source === 'stream') {
  // What a predicting program does: the results of one image at a time, and nothing else kept.
  const stream = new StreamingEvaluator(truth, { iouType: kind });
  for await (const line of createInterface({ input: createReadStream(detectionsPath) })) {
    const { imageId, results } = JSON.parse(line) as { imageId: number; results: ImageResult[] };
    stream.add(imageId, results);
  }
  lap('read and match');
  evaluation = stream.finish();
  lap('finish');
} else {
  const detections = readDetections(detectionsPath, truth);
  lap('read detections');
  if (source === 'memory') {
    // The columns are there and the code is warm, as in a training run that evaluates every epoch.
    evaluate(truth, detections, { iouType: kind });
    cpuStart = process.cpuUsage();
    start = performance.now();
    last = start;
    for (const name of Object.keys(times)) delete times[name];
  }
  evaluation = evaluate(truth, detections, { iouType: kind });
  void (evaluation.precision.length + evaluation.scores.length); // made when they are asked for: the peers make them too
  lap('evaluate');
}
const wall = (performance.now() - start) / 1000;
const { user, system } = process.cpuUsage(cpuStart);
const rss = process.resourceUsage().maxRSS / 1024;
const sha256 = await arrayDigests(evaluation);
console.log(JSON.stringify({ wall, cpu: (user + system) / 1e6, times, stats: evaluation.stats, sha256, rss }));

// Whole models beside torchvision, on the same weights, images and targets, each in a process of its own:
//   npm run bench -- model [--python PATH] [--runs 3] [--only predict|train|small|mobilenet] [--threads N]
// With --python (a Python that has torch, torchvision and pycocotools) the two take turns.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { benchOptions, figure, type Seen } from '@rcnn/shared/bench';
import { defaultThreads } from '@rcnn/tfjs-backend-onnxruntime';
import type { WorkResult } from './model-work.ts';

const values = benchOptions({
  python: { type: 'string' },
  runs: { type: 'string', default: '3' },
  only: { type: 'string' },
  threads: { type: 'string', default: String(defaultThreads()) },
});
process.env['RCNN_THREADS'] = values.threads;

/** By the name that `--only` takes. */
const works = {
  predict: 'Prediction to RLE, Mask R-CNN R50-FPN, 800x1216',
  train: 'Training step, Mask R-CNN R50-FPN, 2 images of 512x512, stem and layer 1 frozen',
  small: 'Training step of the demo, maskrcnn_small, 4 images of 128x128, AdamW',
  mobilenet: 'Training step for browsers, Mask R-CNN MobileNetV3-FPN, 4 images of 320x320, stem to stride 8 frozen',
} as const;
if (values.only !== undefined && !Object.hasOwn(works, values.only)) {
  console.error(`--only knows ${Object.keys(works).join(', ')}; not ${values.only}.`);
  process.exit(2);
}

for (const [work, title] of Object.entries(works)) {
  if (values.only !== undefined && values.only !== work) continue;
  console.log(`\n${title}`);
  const ours = measure('ours', process.execPath, ['--import', 'tsx', here('model-work.ts'), work, values.runs]);
  const line = (peers: Seen[]): void => figure({ work: title, ours: seen(ours), peers });
  if (values.python === undefined) {
    line([]);
    continue;
  }
  const script = here('../../../tools/reference/time_model.py');
  const theirs = measure('torchvision', values.python, [
    script,
    work,
    '--runs',
    values.runs,
    '--threads',
    values.threads,
  ]);
  compareAnswers(ours, theirs);
  line([{ who: 'torchvision', ...seen(theirs) }]);
  console.log(
    `  time ${(median(ours.times) / median(theirs.times)).toFixed(2)}x, ` +
      `CPU ${(median(ours.cpu) / median(theirs.cpu)).toFixed(2)}x, peak memory ${(ours.peakBytes / theirs.peakBytes).toFixed(2)}x torchvision's`,
  );
}

function measure(name: string, program: string, args: readonly string[]): WorkResult {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8', maxBuffer: 2 ** 24 });
  if (status !== 0) throw new Error(`${name} ended with status ${status}:\n${stderr}`);
  const result = JSON.parse(stdout.trim().split('\n').at(-1)!) as WorkResult;
  const times = result.times
    .slice(0, 5)
    .map((time) => time.toFixed(2))
    .join(', ');
  console.log(
    `  ${name.padEnd(12)} median ${median(result.times).toFixed(2)} s (${times}; first ${result.first.toFixed(2)}), ` +
      `CPU ${median(result.cpu).toFixed(2)} s, peak ${(result.peakBytes / 2 ** 30).toFixed(2)} GiB`,
  );
  return result;
}

function seen({ times, peakBytes }: WorkResult): Omit<Seen, 'who'> {
  const value = median(times);
  const time = value < 1 ? `${(1000 * value).toFixed(0)} ms` : `${value.toFixed(2)} s`;
  return { says: `${time}, ${(peakBytes / 2 ** 30).toFixed(2)} GiB`, value, unit: 's' };
}

/** Timing counts only when both did the same work. The samplers draw differently, hence the width for losses. */
function compareAnswers(ours: WorkResult, theirs: WorkResult): void {
  if (ours.weights !== undefined) console.log(`  weights ${ours.weights}, torchvision ${theirs.weights}`);
  if (ours.detections !== undefined) console.log(`  detections ${ours.detections}, torchvision ${theirs.detections}`);
  for (const [name, loss] of Object.entries(ours.losses ?? {})) {
    console.log(`  ${name} ${loss.toFixed(4)}, torchvision ${theirs.losses![name]!.toFixed(4)}`);
  }
}

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1]! + sorted[sorted.length >> 1]!) / 2;
}

function here(path: string): string {
  return fileURLToPath(new URL(path, import.meta.url));
}

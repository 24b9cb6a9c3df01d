// Prediction of Mask R-CNN R50-FPN to RLE by compiled graphs, beside the model as it is, the exported file and
// torchvision, each in a process of its own, in turns:
//   npm run bench -- compile [--python PATH] [--runs 3]
// With --python: a Python that has torch, torchvision and pycocotools.
import { fileURLToPath } from 'node:url';
import { benchOptions, figure } from '@rcnn/shared/bench';
import { type Turn, Worker } from './turns.ts';

const values = benchOptions({ python: { type: 'string' }, runs: { type: 'string', default: '3' } });

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const workers = ['compiled', 'uncompiled', 'exported'].map(
  (way) => new Worker(way, process.execPath, ['--import', 'tsx', here('compile-work.ts'), way]),
);
if (values.python !== undefined) {
  const script = here('../../../tools/reference/time_model.py');
  workers.push(new Worker('torchvision', values.python, [script, 'predict', '--turns']));
}

console.log('Prediction to RLE, Mask R-CNN R50-FPN, 800x1216');
const turns = new Map<string, Turn[]>(workers.map(({ name }) => [name, []]));
for (let run = 0; run <= Number(values.runs); run++) {
  for (const worker of workers) turns.get(worker.name)!.push(await worker.next());
}
for (const worker of workers) worker.end();
const reference = turns.get('torchvision') ?? turns.get('uncompiled')!;
const against = values.python === undefined ? 'uncompiled' : 'torchvision';
for (const [name, [first, ...rest]] of turns) {
  const ratio = (key: 'wall' | 'cpu' | 'peakBytes'): string =>
    (median(rest.map((turn) => turn[key])) / median(reference.slice(1).map((turn) => turn[key]))).toFixed(2);
  const seconds = (key: 'wall' | 'cpu'): string => median(rest.map((turn) => turn[key])).toFixed(2);
  console.log(
    `  ${name.padEnd(12)} ${seconds('wall')} s (first ${first!.wall.toFixed(2)}), CPU ${seconds('cpu')} s, ` +
      `peak ${(rest.at(-1)!.peakBytes / 2 ** 30).toFixed(2)} GiB, ${first!.detections} detections; ` +
      `time ${ratio('wall')}x, CPU ${ratio('cpu')}x, peak ${ratio('peakBytes')}x ${against}`,
  );
}

const seen = (name: string) => {
  const rest = turns.get(name)!.slice(1);
  const value = median(rest.map(({ wall }) => wall));
  return {
    says: `${value.toFixed(2)} s, ${(rest.at(-1)!.peakBytes / 2 ** 30).toFixed(2)} GiB`,
    value,
    unit: 's',
  } as const;
};
const peers = [...turns.keys()].filter((name) => name !== 'compiled').map((who) => ({ who, ...seen(who) }));
figure({ work: 'Prediction to RLE by compiled graphs, Mask R-CNN R50-FPN, 800x1216', ours: seen('compiled'), peers });

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1]! + sorted[sorted.length >> 1]!) / 2;
}

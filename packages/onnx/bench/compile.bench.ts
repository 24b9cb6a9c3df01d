// Prediction to RLE by compiled graphs beside the model as it is and the exported file, each in a process of its own, in
// turns: of Mask R-CNN R50-FPN, with torchvision, and of the small network that the demo trains, for which `auto` compiles.
//   npm run bench -- compile [--python PATH] [--runs 3] [--only r50|small]
// With --python: a Python that has torch, torchvision and pycocotools.
import { fileURLToPath } from 'node:url';
import { benchOptions, figure } from '@rcnn/shared/bench';
import { type Turn, Worker } from './turns.ts';

const values = benchOptions({
  python: { type: 'string' },
  runs: { type: 'string', default: '3' },
  only: { type: 'string' },
});

interface Subject {
  readonly name: string;
  readonly about: string;
  readonly unit: 's' | 'ms';
  /** What torchvision has to show for it. */
  readonly peer?: string;
}

const SUBJECTS: readonly Subject[] = [
  { name: 'r50', about: 'Mask R-CNN R50-FPN, 800x1216', unit: 's', peer: 'predict' },
  { name: 'small', about: 'maskrcnn_small, 128x128', unit: 'ms' },
];

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
for (const subject of SUBJECTS) if (values.only === undefined || values.only === subject.name) await measure(subject);

async function measure({ name: subject, about, unit, peer }: Subject): Promise<void> {
  const workers = ['compiled', 'uncompiled', 'exported'].map(
    (way) => new Worker(way, process.execPath, ['--import', 'tsx', here('compile-work.ts'), subject, way]),
  );
  if (values.python !== undefined && peer !== undefined) {
    const script = here('../../../tools/reference/time_model.py');
    workers.push(new Worker('torchvision', values.python, [script, peer, '--turns']));
  }
  console.log(`Prediction to RLE, ${about}`);
  const turns = new Map<string, Turn[]>(workers.map(({ name }) => [name, []]));
  // The first is left out; of a few milliseconds more are taken.
  const runs = Number(values.runs) * (unit === 'ms' ? 10 : 1);
  for (let run = 0; run <= runs; run++) {
    for (const worker of workers) turns.get(worker.name)!.push(await worker.next());
  }
  for (const worker of workers) worker.end();
  print(turns);
  const seen = (name: string) => {
    const rest = turns.get(name)!.slice(1);
    const value = median(rest.map(({ wall }) => wall)) * (unit === 'ms' ? 1000 : 1);
    const memory = `${(rest.at(-1)!.peakBytes / 2 ** 30).toFixed(2)} GiB`;
    return { says: `${value.toFixed(unit === 'ms' ? 0 : 2)} ${unit}, ${memory}`, value, unit } as const;
  };
  const peers = [...turns.keys()].filter((name) => name !== 'compiled').map((who) => ({ who, ...seen(who) }));
  figure({ work: `Prediction to RLE by compiled graphs, ${about}`, ours: seen('compiled'), peers });
}

function print(turns: ReadonlyMap<string, readonly Turn[]>): void {
  const reference = turns.get('torchvision') ?? turns.get('uncompiled')!;
  const against = turns.has('torchvision') ? 'torchvision' : 'uncompiled';
  for (const [name, [first, ...rest]] of turns) {
    const ratio = (key: 'wall' | 'cpu' | 'peakBytes'): string =>
      (median(rest.map((turn) => turn[key])) / median(reference.slice(1).map((turn) => turn[key]))).toFixed(2);
    const seconds = (key: 'wall' | 'cpu'): string => median(rest.map((turn) => turn[key])).toFixed(3);
    console.log(
      `  ${name.padEnd(12)} ${seconds('wall')} s (first ${first!.wall.toFixed(2)}), CPU ${seconds('cpu')} s, ` +
        `peak ${(rest.at(-1)!.peakBytes / 2 ** 30).toFixed(2)} GiB, ${first!.detections} detections; ` +
        `time ${ratio('wall')}x, CPU ${ratio('cpu')}x, peak ${ratio('peakBytes')}x ${against}`,
    );
  }
}

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1]! + sorted[sorted.length >> 1]!) / 2;
}

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { generate } from '../../../coco-eval/bench/generate.ts';
import { median, type Sample } from './sample.ts';

/** One kind of work at several sizes. */
export interface Series {
  readonly title: string;
  /** What its sizes count. */
  readonly against: string;
  readonly sizes: readonly number[];
  /** Of a size, as a row of the table says it. */
  readonly says: (size: number) => string;
  readonly measure: (size: number, how: How) => Sample;
}

export interface How {
  readonly threads: number;
  readonly runs: number;
}

const count = (size: number): string => size.toLocaleString('en');

/** Objects found where pixels grow, and the side of the picture where objects do. */
const [OBJECTS, SIDE] = [100, 512];

/** Share of the detections that lie near an object, at every number of them. */
const NEAR = 0.6;

export const series: Readonly<Record<string, Series>> = {
  pixels: {
    title: `Prediction to RLE, Mask R-CNN R50-FPN, ${OBJECTS} objects found`,
    against: 'pixels',
    sizes: [256, 512, 1024, 2048].map((side) => side ** 2),
    says: (size) => `${Math.sqrt(size)}²`,
    measure: (size, how) => predicted(Math.sqrt(size), OBJECTS, how),
  },
  detections: {
    title: `Prediction to RLE, Mask R-CNN R50-FPN, ${SIDE}² pixels`,
    against: 'objects found',
    sizes: [1, 10, 100, 1000],
    says: count,
    measure: (size, how) => predicted(SIDE, size, how),
  },
  boxes: evaluation('bbox'),
  masks: evaluation('segm'),
};

function evaluation(kind: 'bbox' | 'segm'): Series {
  return {
    title: `COCO evaluation of ${kind === 'bbox' ? 'boxes' : 'masks'} from files, truth of the size of val2017`,
    against: 'detections',
    sizes: [1e4, 1e5, 1e6],
    says: count,
    measure: (size, how) => evaluated(kind, size, how),
  };
}

function predicted(side: number, objects: number, { threads, runs }: How): Sample {
  return inAProcess(new URL('predict.ts', import.meta.url), [side, objects, threads, runs]) as Sample;
}

/** JavaScript of one thread. Every run is a process of its own, since what is read is kept. */
function evaluated(kind: string, detections: number, { runs }: How): Sample {
  const files = generate(detections, { near: NEAR });
  const worker = new URL('../../../coco-eval/bench/worker.ts', import.meta.url);
  const all = Array.from({ length: runs }, () => {
    return inAProcess(worker, [kind, files.truth, files.detections, 'files']) as Evaluated;
  });
  return {
    seconds: median(all.map(({ wall }) => wall)),
    cpu: median(all.map(({ cpu }) => cpu)),
    peakBytes: median(all.map(({ rss }) => rss * 2 ** 20)),
  };
}

interface Evaluated {
  readonly wall: number;
  readonly cpu: number;
  /** MiB at the peak. */
  readonly rss: number;
}

function inAProcess(script: URL, args: readonly (string | number)[]): unknown {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--import', 'tsx', fileURLToPath(script), ...args.map(String)],
    { encoding: 'utf8', maxBuffer: 2 ** 26 },
  );
  if (status !== 0) throw new Error(`${fileURLToPath(script)} ended with status ${status}:\n${stderr}`);
  return JSON.parse(stdout.trim().split('\n').at(-1)!);
}

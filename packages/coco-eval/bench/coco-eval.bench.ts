// npm run bench -- coco-eval [--python PATH] [--rounds N] [--small]
//
// COCO evaluation at the size of val2017, beside what of PEERS the given Python has.
// Same files, one process per measurement, taken in turns; results are compared before any time counts.
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { benchOptions, figure, type Seen } from '@rcnn/shared/bench';
import { generate, generateStream } from './generate.ts';

const options = benchOptions({
  python: { type: 'string' },
  rounds: { type: 'string', default: '3' },
  small: { type: 'boolean', default: false },
});

interface Measurement {
  wall: number;
  cpu: number;
  rss: number;
  stats: number[];
  sha256?: Record<string, string>;
  times?: Record<string, number>;
}

const PEERS = ['pycocotools', 'faster-coco-eval', 'ultrafast-pycocotools', 'hotcoco'];

const worker = fileURLToPath(new URL('worker.ts', import.meta.url));
const script = fileURLToPath(new URL('../../../tools/reference/time_evaluation.py', import.meta.url));

function run(program: string, args: readonly string[]): Measurement {
  const output = execFileSync(program, args, {
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return JSON.parse(output.trim().split('\n').at(-1)!) as Measurement;
}

const ours = (...args: string[]): Measurement => run(process.execPath, ['--import', 'tsx', worker, ...args]);

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

/** Peers in turns: A B C, A B C … */
function measure(kind: string, count: number, source: 'files' | 'memory'): void {
  const { truth, detections } = generate(count);
  const peers: Record<string, () => Measurement> = { ours: () => ours(kind, truth, detections, source) };
  for (const peer of options.python === undefined ? [] : PEERS) {
    peers[peer] = () => run(options.python!, [script, peer, kind, truth, detections, source]);
  }
  const taken = new Map<string, Measurement[]>(Object.keys(peers).map((name) => [name, []]));
  const rounds = count > 100_000 ? 1 : Number(options.rounds);
  for (let round = 0; round < rounds; round++) {
    for (const [name, body] of Object.entries(peers)) {
      try {
        taken.get(name)!.push(body());
      } catch {
        taken.delete(name); // not installed there
      }
    }
  }
  report(`${kind}, ${count} detections, from ${source}`, taken);
}

function report(title: string, taken: ReadonlyMap<string, readonly Measurement[]>): void {
  const own = taken.get('ours')![0]!;
  console.log(`\n${title}`);
  for (const [name, all] of taken) {
    if (all.length === 0) continue;
    const wall = median(all.map((m) => m.wall));
    const ratio = name === 'ours' ? '' : `${(wall / median(taken.get('ours')!.map((m) => m.wall))).toFixed(1)}x ours`;
    const same = JSON.stringify(all[0]!.sha256) === JSON.stringify(own.sha256) ? 'same arrays' : 'OTHER arrays';
    const line = [
      name.padEnd(18),
      `${wall.toFixed(3)} s`.padStart(11),
      `cpu ${median(all.map((m) => m.cpu)).toFixed(3)} s`.padStart(15),
      `peak ${all[0]!.rss.toFixed(0)} MiB`.padStart(14),
      name === 'ours' ? '' : same,
      ratio,
    ];
    console.log(`  ${line.join('  ').trimEnd()}`);
  }
  figure({
    work: `COCO evaluation, ${title}`,
    ours: seen(taken.get('ours')!),
    peers: [...taken].flatMap(([who, all]) => {
      if (who === 'ours' || all.length === 0) return [];
      const same = JSON.stringify(all[0]!.sha256) === JSON.stringify(own.sha256);
      return [{ who, ...seen(all), ...(same && { says: `${seen(all).says}, same arrays` }) }];
    }),
  });
  const parts = Object.entries(own.times ?? {}).map(([part, seconds]) => `${part} ${seconds.toFixed(3)}`);
  if (parts.length > 0) console.log(`  ours splits into: ${parts.join(', ')} s`);
}

function seen(all: readonly Measurement[]): Omit<Seen, 'who'> {
  const value = median(all.map(({ wall }) => wall));
  return { says: `${value.toFixed(2)} s, ${all[0]!.rss.toFixed(0)} MiB`, value, unit: 's' };
}

for (const count of options.small ? [36_781] : [36_781, 500_000]) {
  for (const kind of ['bbox', 'segm']) for (const source of ['files', 'memory'] as const) measure(kind, count, source);
}
const stream = generateStream(options.small ? 36_781 : 500_000);
report(`segm, streamed image by image`, new Map([['ours', [ours('segm', stream.truth, stream.detections, 'stream')]]]));

// Images per second of the loader with the multiscale preset, beside torch's DataLoader with torchvision's transforms.
//   npm run bench -- data [--data DIR] [--split train] [--workers 2] [--rounds 3] [--python PYTHON]
// Without --data: 96 generated pictures of 480 x 640. PYTHON must have torch, torchvision and pycocotools.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { createLoader as createLoaderHere } from '../src/index.ts';
import { findSources, LoaderWorkers, openSource, writeShapes } from '../src/node/index.ts';

const { values } = parseArgs({
  options: {
    data: { type: 'string' },
    split: { type: 'string', default: 'train' },
    workers: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '3' },
    python: { type: 'string' },
  },
});
const workers = Number(values.workers);
const folder = values.data ?? (await generated());
try {
  const sources = await findSources(folder);
  const source = sources.find(({ split }) => split.startsWith(values.split)) ?? sources[0]!;
  const ours: number[] = [];
  const busy: number[] = [];
  const theirs: number[] = [];
  for (let round = 0; round < Number(values.rounds); round++) {
    const result = await measure();
    ours.push(result.rate);
    busy.push(result.busy);
    if (values.python) theirs.push(peer(source.annotations, source.images));
  }
  print(`ours, ${workers} workers`, ours);
  console.log(`  main thread busy ${busy.map((share) => `${(100 * share).toFixed(1)} %`).join(', ')}`);
  if (theirs.length > 0) {
    print(`torch DataLoader, ${workers} workers`, theirs);
    console.log(`ours / torch: ${(median(ours) / median(theirs)).toFixed(2)}`);
  }

  /** One epoch to warm up, one to time: workers stay, as torch's do with persistent_workers. */
  async function measure(): Promise<{ rate: number; busy: number }> {
    const dataset = (await openSource(source)).trainable();
    const pool = new LoaderWorkers(dataset, { workers, transform: 'multiscale' });
    try {
      let result = { rate: 0, busy: 0 };
      for (const epoch of [0, 1]) {
        const loader = createLoaderHere(dataset, { batchSize: 2, epoch, prefetch: 2 * workers }, pool.run);
        const [start, before] = [performance.now(), performance.eventLoopUtilization()];
        let images = 0;
        for await (const batch of loader) images += batch.images.length;
        const { utilization } = performance.eventLoopUtilization(before);
        result = { rate: (1000 * images) / (performance.now() - start), busy: utilization };
      }
      return result;
    } finally {
      await pool.close();
    }
  }
} finally {
  if (values.data === undefined) rmSync(folder, { recursive: true, force: true });
}

function peer(annotations: string, images: string): number {
  const script = fileURLToPath(new URL('../../../tools/reference/time_loader.py', import.meta.url));
  const args = [script, annotations, images, String(workers)];
  const { stdout, status, stderr } = spawnSync(values.python!, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  return Number(stdout.trim());
}

async function generated(): Promise<string> {
  const out = mkdtempSync(join(tmpdir(), 'rcnn-bench-'));
  await writeShapes(out, { splits: { train: 96 }, size: [480, 640], objects: [4, 12], format: 'jpg' });
  return out;
}

function median(numbers: readonly number[]): number {
  return [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)]!;
}

function print(name: string, rates: readonly number[]): void {
  const all = rates.map((rate) => rate.toFixed(1)).join(', ');
  console.log(`${name}: median ${median(rates).toFixed(1)} images/s (${all})`);
}

// Images per second of the loader with the multiscale preset, beside torch's DataLoader with torchvision's transforms.
//   npm run bench -- data [--data DIR] [--split train] [--workers 2] [--rounds 3] [--epochs 5] [--python PYTHON]
// Without --data: 96 generated pictures of 480 x 640. PYTHON must have torch, torchvision and pycocotools.
//
// "Blocked" is the share of the time in which this thread's event loop could not run: its JavaScript, its garbage
// collection, and its waiting for a processor in the middle of either, which the workers make longer than it is alone.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { benchOptions, figure } from '@rcnn/shared/bench';
import { type Batch, createLoader as createLoaderHere } from '../src/index.ts';
import { findSources, LoaderWorkers, openSource, writeShapes } from '../src/node/index.ts';

const values = benchOptions({
  data: { type: 'string' },
  split: { type: 'string', default: 'train' },
  workers: { type: 'string', default: '2' },
  rounds: { type: 'string', default: '3' },
  epochs: { type: 'string', default: '5' },
  python: { type: 'string' },
});
const workers = Number(values.workers);

/** What takes the batches: as fast as they come, or like a training whose steps run on other threads. */
const CONSUMERS: Record<string, (batch: Batch) => Promise<void> | void> = {
  'batches released': ({ release }) => release?.(),
  'batches left to the garbage collector': () => undefined,
  'a step of 50 ms per batch, then released': async ({ release }) => {
    await sleep(50);
    release?.();
  },
};

const folder = values.data ?? (await generated());
try {
  const sources = await findSources(folder);
  const source = sources.find(({ split }) => split.startsWith(values.split)) ?? sources[0]!;
  const rates = new Map<string, number[]>();
  const blocked = new Map<string, number[]>();
  const peers: number[] = [];
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const [name, consume] of Object.entries(CONSUMERS)) {
      const result = await measure(consume);
      append(rates, name, result.rate);
      append(blocked, name, 100 * result.blocked);
    }
    if (values.python) peers.push(peer(source.annotations, source.images));
  }
  for (const name of Object.keys(CONSUMERS)) {
    console.log(`ours, ${workers} workers, ${name}`);
    console.log(`  ${summary(rates.get(name)!)} images/s; main thread blocked ${summary(blocked.get(name)!)} %`);
  }
  const seen = (rate: number) => ({ says: `${rate.toFixed(0)} a second`, value: rate, unit: 'per s' }) as const;
  figure({
    work: `Loading and augmenting photographs, ${workers} workers`,
    ours: seen(median(rates.get('batches released')!)),
    peers: peers.length === 0 ? [] : [{ who: "torch's DataLoader", ...seen(median(peers)) }],
  });
  if (peers.length > 0) {
    console.log(`torch DataLoader, ${workers} workers: ${summary(peers)} images/s`);
    console.log(`ours / torch: ${(median(rates.get('batches released')!) / median(peers)).toFixed(2)}`);
  }

  /** One epoch to warm up, then those that are timed: workers stay, as torch's do with persistent_workers. */
  async function measure(consume: (batch: Batch) => Promise<void> | void): Promise<{ rate: number; blocked: number }> {
    const dataset = (await openSource(source)).trainable();
    const pool = new LoaderWorkers(dataset, { workers, transform: 'multiscale' });
    const runEpoch = async (epoch: number): Promise<number> => {
      let images = 0;
      for await (const batch of createLoaderHere(dataset, { epoch, prefetch: 2 * workers }, pool.run)) {
        images += batch.images.length;
        await consume(batch);
      }
      return images;
    };
    try {
      await runEpoch(0);
      const [start, before] = [performance.now(), performance.eventLoopUtilization()];
      let images = 0;
      for (let epoch = 1; epoch <= Number(values.epochs); epoch++) images += await runEpoch(epoch);
      const { utilization } = performance.eventLoopUtilization(before);
      return { rate: (1000 * images) / (performance.now() - start), blocked: utilization };
    } finally {
      await pool.close();
    }
  }
} finally {
  if (values.data === undefined) rmSync(folder, { recursive: true, force: true });
}

function peer(annotations: string, images: string): number {
  const script = fileURLToPath(new URL('../../../tools/reference/time_loader.py', import.meta.url));
  const args = [script, annotations, images, String(workers), values.epochs];
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

function summary(numbers: readonly number[]): string {
  return `${median(numbers).toFixed(1)} (${numbers.map((number) => number.toFixed(1)).join(', ')})`;
}

function append(lists: Map<string, number[]>, name: string, value: number): void {
  lists.set(name, [...(lists.get(name) ?? []), value]);
}

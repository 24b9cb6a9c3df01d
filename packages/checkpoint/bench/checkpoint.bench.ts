// Loading a Mask R-CNN R50-FPN (178 MB) from disk into memory, from the page cache:
//   npm run bench -- checkpoint [--python PATH] [--runs 7]
// With --python (a Python that has torch and torchvision), the .pth files are written and torch.load is timed too.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Parameter, ParameterLayout, ParameterOwner } from '@rcnn/core';
import { benchOptions, figure } from '@rcnn/shared/bench';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { loadStateDict, safetensorsFile, type TensorSource } from '../src/index.ts';
import { atomicWrite, loadCheckpoint, openTensorFile, saveCheckpoint } from '../src/node/index.ts';
import { detectorTensors } from './detector-tensors.ts';

const values = benchOptions({ python: { type: 'string' }, runs: { type: 'string', default: '7' } });
const directory = mkdtempSync(join(tmpdir(), 'rcnn-bench-'));

try {
  const { Parameter: ParameterClass } = await import('@rcnn/core');
  await tf.setBackend('cpu');
  const tensors = detectorTensors();
  const files = {
    plain: join(directory, 'plain.safetensors'),
    ours: join(directory, 'ours.safetensors'),
    zip: join(directory, 'zip.pth'),
    legacy: join(directory, 'legacy.pth'),
  };
  await atomicWrite(files.plain, safetensorsFile(tensors).chunks());
  await report('save: our checkpoint, digests and fsync', () => saveCheckpoint(files.ours, { weights: tensors }));
  const theirs = values.python === undefined ? undefined : timeTorch(values.python, directory);
  console.log(`${(statSync(files.plain).size / 1e6).toFixed(1)} MB, ${tensors.length} tensors`);

  await report('safetensors to memory', () => readAll(() => openTensorFile(files.plain)));
  await report('our checkpoint to memory, digests checked', () =>
    readAll(async () => (await loadCheckpoint(files.ours)).weights),
  );
  if (theirs !== undefined) {
    await report('.pth (zip) to memory, checksums checked', () => readAll(() => openTensorFile(files.zip)));
    await report('.pth (legacy) to memory', () => readAll(() => openTensorFile(files.legacy)));
  }
  const owner = makeOwner(tensors, ParameterClass);
  for (const file of theirs === undefined ? [files.plain] : [files.plain, files.zip]) {
    const times = await report(
      `${file === files.zip ? '.pth' : 'safetensors'} into a tfjs model, layouts changed`,
      async () => {
        const source = await openTensorFile(file);
        await loadStateDict(owner, source);
        await source.close();
      },
    );
    if (file === files.zip) compare(times, theirs!['torch.load and load_state_dict into torchvision']!);
  }
  for (const [name, times] of Object.entries(theirs ?? {})) print(name, times);
  console.log(`peak memory of this process ${(process.resourceUsage().maxRSS / 2 ** 20).toFixed(2)} GiB`);
} finally {
  rmSync(directory, { recursive: true, force: true });
}

async function readAll(open: () => Promise<TensorSource>): Promise<void> {
  const source = await open();
  const all = new Map<string, Float32Array>();
  const pending = [...source.tensors.values()].reverse();
  const reader = async (): Promise<void> => {
    for (let tensor = pending.pop(); tensor !== undefined; tensor = pending.pop()) {
      all.set(tensor.name, new Float32Array((await tensor.read()).buffer));
    }
  };
  await Promise.all([reader(), reader()]); // one reads while the other is woken
  await source.close();
  if (all.size !== 307) throw new Error(`read ${all.size} tensors, not 307`);
}

async function report(name: string, work: () => Promise<void>): Promise<number[]> {
  await work(); // warm-up
  const times: number[] = [];
  for (let run = 0; run < Number(values.runs); run++) {
    (globalThis as { gc?: () => void }).gc?.();
    const start = performance.now();
    await work();
    times.push((performance.now() - start) / 1000);
  }
  print(name, times);
  return times;
}

function compare(ours: readonly number[], torch: readonly number[]): void {
  const seen = (times: readonly number[]) => {
    const value = times.toSorted((a, b) => a - b)[times.length >> 1]!;
    return { says: `${value.toFixed(2)} s`, value, unit: 's' } as const;
  };
  figure({
    work: '`.pth` of R50-FPN (178 MB) into a model',
    ours: seen(ours),
    peers: [{ who: 'torch', ...seen(torch) }],
  });
}

function print(name: string, times: readonly number[]): void {
  const sorted = [...times].sort((a, b) => a - b);
  const median = sorted[sorted.length >> 1]!;
  console.log(`${name.padEnd(48)} median ${median.toFixed(3)} s, min ${sorted[0]!.toFixed(3)} s`);
}

/** Parameters as the model has them: our shapes, zeros. */
function makeOwner(tensors: ReturnType<typeof detectorTensors>, ParameterOf: typeof Parameter): ParameterOwner {
  const parameters = new Map<string, Parameter>();
  for (const { name, shape } of tensors) {
    const [o, i, h, w] = shape as [number, number, number, number];
    let layout: ParameterLayout = 'same';
    let ours: readonly number[] = shape;
    if (shape.length === 4) {
      layout = name.includes('conv5_mask') ? 'transposedConv' : 'conv';
      ours = [h, w, i, o];
    } else if (shape.length === 2) {
      layout = name.includes('fc6') ? { height: 7, width: 7, channels: 256 } : 'linear';
      ours = [i, o];
    }
    parameters.set(name, new ParameterOf(tf.zeros([...ours]), { layout }));
  }
  return { namedParameters: () => parameters, dispose: () => undefined };
}

/** Lets PyTorch write the `.pth` files from our safetensors file, and load them. Seconds by name. */
function timeTorch(python: string, folder: string): Record<string, number[]> {
  const script = fileURLToPath(new URL('../../../tools/reference/time_torch_load.py', import.meta.url));
  const { status, stdout, stderr } = spawnSync(python, [script, folder, values.runs], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${python} ended with status ${status}:\n${stderr}`);
  return JSON.parse(stdout) as Record<string, number[]>;
}

import { createHash } from 'node:crypto';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { beforeAll, expect, test } from 'vitest';
import { createLoader as createLoaderHere, type Dataset, shapesDataset } from '../src/index.ts';
import { createLoader, LoaderWorkers, type NodeLoaderOptions, openDataset, writeShapes } from '../src/node/index.ts';
import { freeMemory } from '../src/node/loader/free-memory.ts';
import { temporaryFolder } from './folders.ts';

const folder = join(temporaryFolder(), 'shapes');
let dataset: Dataset;
beforeAll(async () => {
  await writeShapes(folder, { splits: { train: 14 }, size: [40, 56] });
  dataset = await openDataset(folder);
});

async function digest(options: NodeLoaderOptions): Promise<string> {
  const hash = createHash('sha256');
  for await (const { images, targets, indices } of createLoader(dataset, {
    batchSize: 3,
    transform: 'level3',
    ...options,
  })) {
    hash.update(indices.join());
    for (const { data } of images) hash.update(data);
    for (const { boxes, labels, masks } of targets) {
      hash.update(boxes).update(labels);
      for (const mask of masks!) hash.update(mask.runLengths().counts);
    }
  }
  return hash.digest('hex');
}

test('the same batches for any number of workers, copy-paste included', async () => {
  const options = { seed: 3, epoch: 1, batchTransform: 'copy-paste' } as const;
  const alone = await digest({ ...options, workers: 0 });
  expect(await digest({ ...options, workers: 1 })).toBe(alone);
  expect(await digest({ ...options, workers: 3, prefetch: 2 })).toBe(alone);
  expect(await digest({ ...options, seed: 4 })).not.toBe(alone);
});

test('a released batch has no pixels any more, and its targets', async () => {
  let count = 0;
  for await (const { images, targets, release } of createLoader(dataset, { workers: 1, prefetch: 3 })) {
    expect(images[0]!.data).toHaveLength(40 * 56 * 3);
    release!();
    release!(); // a second time does nothing
    expect(images.map(({ data }) => data.length)).toEqual([0, 0]);
    expect(targets[0]!.masks![0]!.runLengths().counts.length).toBeGreaterThan(1);
    count++;
  }
  expect(count).toBe(7);
});

test('memory is freed at once, without the garbage collector', () => {
  const before = process.memoryUsage().arrayBuffers;
  const arrays = [new Uint8Array(2 ** 24), new Float32Array(2 ** 22)];
  const views = [...arrays, arrays[0]!.subarray(5)]; // memory that is named twice is freed once
  expect(process.memoryUsage().arrayBuffers - before).toBeGreaterThan(2 ** 25 - 2 ** 20);
  freeMemory(views);
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 20);
  expect(views.map(({ length }) => length)).toEqual([0, 0, 0]);
  const shared = new Uint8Array(new SharedArrayBuffer(3));
  freeMemory([shared]);
  expect(shared).toHaveLength(3);
});

test('leaving the loop and stopping by signal end cleanly', async () => {
  let count = 0;
  for await (const _ of createLoader(dataset, { batchSize: 2, workers: 2 })) if (++count === 2) break;
  expect(count).toBe(2);
  const stop = new AbortController();
  const all = async (): Promise<void> => {
    for await (const _ of createLoader(dataset, { batchSize: 2, workers: 2, signal: stop.signal })) stop.abort();
  };
  await expect(all()).rejects.toMatchObject({ code: 'INTERRUPTED' });
});

test('an error in a worker keeps its code, place and words', async () => {
  const missing = await openDataset(folder, { images: join(folder, 'annotations') });
  const message = async (workers: number): Promise<unknown> => {
    try {
      for await (const _ of createLoader(missing, { workers })) break;
    } catch (error) {
      const { code, message, where } = error as { code: string; message: string; where: string };
      return { code, message, where };
    }
    return undefined;
  };
  const here = await message(0);
  expect(here).toMatchObject({ code: 'IMAGE_MISSING' });
  expect(await message(1)).toMatchObject({ code: 'IMAGE_MISSING' });
});

test('an image that takes too long is told by a worker, or skipped', async () => {
  const large = join(folder, '..', 'large');
  await writeShapes(large, { splits: { train: 2 }, size: [48, 64] });
  // Some tenths of a second to decode, of which a thousandth is given.
  const slow = await sharp({ create: { width: 8000, height: 7000, channels: 3, background: 'grey' } }).png().toBuffer(); // biome-ignore format: one line
  const files = readdirSync(large, { recursive: true }).map(String).filter((name) => /\.(png|jpe?g)$/.test(name)); // biome-ignore format: one line
  expect(files).toHaveLength(2);
  for (const name of files) writeFileSync(join(large, name), slow);
  const hasty = await openDataset(large, { maxSeconds: 0.001 });
  await expect(async () => {
    for await (const _ of createLoader(hasty, { workers: 1 })) expect.fail('an image came in time');
  }).rejects.toMatchObject({ code: 'IMAGE_TOO_SLOW' });
  const loader = createLoader(hasty, { workers: 1, onBadSample: 'skip', maxSkipRate: 1 });
  for await (const _ of loader) expect.fail('an image came in time');
  expect(loader.skipped).toHaveLength(2);
});

test('never more batches are under way than prefetch allows', async () => {
  let [now, most] = [0, 0];
  const workers = new LoaderWorkers(dataset, { workers: 2 });
  try {
    const run: typeof workers.run = async (job) => {
      most = Math.max(most, ++now);
      try {
        return await workers.run(job);
      } finally {
        now--;
      }
    };
    for await (const _ of createLoaderHere(dataset, { batchSize: 1, prefetch: 3 }, run)) {
      await new Promise((resolve) => setTimeout(resolve, 5)); // a slow consumer
    }
  } finally {
    await workers.close();
  }
  expect(most).toBe(3);
});

test('what workers cannot do is refused before any starts', () => {
  const transform = { name: 'mine', apply: <T>(scene: T): T => scene };
  expect(() => createLoader(dataset, { workers: 1, transform })).toThrow(
    expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
  );
  expect(() => new LoaderWorkers(shapesDataset(2), { workers: 1 })).toThrow(
    expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
  );
  expect(() => createLoader(dataset, { batchSize: 0 })).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
});

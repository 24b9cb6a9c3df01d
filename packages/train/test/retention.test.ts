import { appendFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { copyFile, readdir, rename, unlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkpointFile, memoryEntry } from '@rcnn/checkpoint';
import { loadCheckpoint, nodeHashing } from '@rcnn/checkpoint/node';
import { isRcnnError } from '@rcnn/core/errors';
import { Random } from '@rcnn/core/random';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { keepNumbered, type RetentionFiles } from '../src/files/retention.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'retention-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const numbered = (): number[] =>
  readdirSync(directory)
    .flatMap((name) => /^step-(\d+)\.safetensors$/.exec(name)?.[1] ?? [])
    .map(Number)
    .toSorted((a, b) => a - b);

/** A new `last.safetensors`, which says of which step it is; without waiting for the disk, a thousand times. */
async function save(step: number): Promise<void> {
  const weights = [memoryEntry('a', 'float32', [4], Float32Array.of(step, 1, 2, 3))];
  const file = await checkpointFile({ weights, info: { step } }, nodeHashing);
  const last = join(directory, 'last.safetensors');
  rmSync(last, { force: true }); // never written into: a numbered one may be the same file
  for await (const chunk of file.chunks()) appendFileSync(last, chunk);
}

/** The step that a numbered checkpoint holds; undefined when its bytes are not those that were written. */
async function stepIn(step: number): Promise<number | undefined> {
  try {
    const checkpoint = await loadCheckpoint(join(directory, `step-${step}.safetensors`));
    try {
      await checkpoint.verify();
      return (checkpoint.info as { step: number }).step;
    } finally {
      await checkpoint.close();
    }
  } catch {
    return undefined;
  }
}

test('the newest stay; last and best are never touched', async () => {
  writeFileSync(join(directory, 'best.safetensors'), 'best');
  for (let step = 5; step <= 40; step += 5) {
    await save(step);
    await keepNumbered({ directory, step, keep: 3 });
  }
  expect(numbered()).toEqual([30, 35, 40]);
  expect(await stepIn(30)).toBe(30);
  expect(readdirSync(directory).toSorted()).toEqual([
    'best.safetensors',
    'last.safetensors',
    'step-30.safetensors',
    'step-35.safetensors',
    'step-40.safetensors',
  ]);
});

test('the same step twice is one checkpoint: the later one', async () => {
  for (const step of [1, 1, 2]) {
    await save(step);
    await keepNumbered({ directory, step, keep: 2 });
  }
  expect(numbered()).toEqual([1, 2]);
});

/** Real files, without waiting for the disk. */
const quick: RetentionFiles = {
  duplicate: copyFile,
  rename,
  remove: unlink,
  list: readdir,
  syncDirectory: async () => undefined,
  async verify(path) {
    const checkpoint = await loadCheckpoint(path);
    try {
      await checkpoint.verify();
    } finally {
      await checkpoint.close();
    }
  },
};

/** The same, one call of which fails, or leaves a damaged file that only reading back can find. */
function faulty(random: Random): { files: RetentionFiles; failed: () => boolean } {
  let calls = 0;
  let failed = false;
  const failAt = random.integer(12); // of 6 calls and one for each file that goes
  const errno = ['EIO', 'ENOSPC', 'EACCES', 'EMFILE'][random.integer(4)]!;
  const damage = random.chance(0.25);
  const step = (): void => {
    if (calls++ !== failAt) return;
    failed = true;
    throw Object.assign(new Error(errno), { code: errno });
  };
  const files: RetentionFiles = {
    async duplicate(from, to) {
      step();
      await quick.duplicate(from, to);
      if (!damage) return;
      const bytes = readFileSync(to);
      bytes[bytes.length - 1]! ^= 1;
      writeFileSync(to, bytes);
    },
    rename: async (from, to) => (step(), quick.rename(from, to)),
    remove: async (path) => (step(), quick.remove(path)),
    list: async (path) => (step(), quick.list(path)),
    syncDirectory: async () => step(),
    verify: async (path) => (step(), quick.verify(path)),
  };
  return { files, failed: () => failed || damage };
}

test('50 random policies with faults: nothing that is needed ever goes', async () => {
  let faults = 0;
  for (let policy = 0; policy < 50; policy++) {
    rmSync(directory, { recursive: true });
    directory = mkdtempSync(join(tmpdir(), 'retention-'));
    const random = new Random(policy);
    const keep = 1 + random.integer(4);
    const pinned = new Set<number>();
    let bestStep: number | undefined;
    let good: number[] = []; // whole checkpoints before the call, oldest first
    for (let step = 1; step <= 15; step++) {
      await save(step);
      if (good.length > 0 && random.chance(0.2)) {
        const pin = good[random.integer(good.length)]!;
        pinned.add(pin);
        writeFileSync(join(directory, `step-${pin}.safetensors.pin`), '');
      }
      if (random.chance(0.2)) bestStep = step;
      const { files, failed } = random.chance(0.5) ? faulty(random) : { files: quick, failed: () => false };
      const error = await keepNumbered({ directory, step, keep, bestStep, files }).then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      if (error !== undefined) {
        faults++;
        expect(failed() && isRcnnError(error)).toBe(true);
      }
      const found: number[] = [];
      for (const at of numbered()) if ((await stepIn(at)) === at) found.push(at);
      const isWhole = found.includes(step);
      // The newest ones that were whole: none goes before the new one is known to be good.
      for (const needed of good.slice(isWhole ? Math.min(good.length, good.length - keep + 1) : -keep)) {
        expect(found).toContain(needed);
      }
      for (const held of good.filter((at) => pinned.has(at) || at === bestStep)) expect(found).toContain(held);
      expect(existsSync(join(directory, 'last.safetensors'))).toBe(true);
      if (error === undefined) {
        expect(isWhole).toBe(true);
        const loose = numbered().slice(0, -keep).filter((at) => !pinned.has(at) && at !== bestStep); // biome-ignore format: one line
        expect(loose).toEqual([]);
      }
      good = found;
    }
  }
  expect(faults).toBeGreaterThan(100); // else the faults were not where the work is
});

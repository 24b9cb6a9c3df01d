// What is said of the data before anything is computed, and which splits are taken.
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeShapes } from '@rcnn/coco-data/node';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { resolveConfig } from '../src/config/resolve.ts';
import type { PartialConfig } from '../src/index.ts';
import { openData } from '../src/run/data.ts';

const root = mkdtempSync(join(tmpdir(), 'train-data-'));
beforeAll(async () => {
  await writeShapes(join(root, 'val alone'), { splits: { val: 2 }, size: [32, 32] });
  await writeShapes(join(root, 'prefixed'), { splits: { train: 2, val: 1 }, size: [32, 32] });
  for (const split of ['train', 'val']) {
    const at = join(root, 'prefixed/annotations');
    renameSync(join(at, `instances_${split}.json`), join(at, `lvis_v1_${split}.json`));
  }
});
beforeAll(async () => {
  for (const [i, name] of ['day', 'night'].entries()) {
    const folder = join(root, 'two pairs');
    await writeShapes(join(root, name), { splits: { train: 2 + i, val: 1 + i }, size: [32, 32], seed: i });
    for (const split of ['train', 'val']) renameAs(join(root, name), split, folder, `${name}_${split}`);
  }
});
afterAll(() => rmSync(root, { recursive: true }));

/** Moves a split into a folder of others, under another name. */
function renameAs(from: string, split: string, to: string, name: string): void {
  mkdirSync(join(to, 'annotations'), { recursive: true });
  renameSync(join(from, 'annotations', `instances_${split}.json`), join(to, 'annotations', `instances_${name}.json`));
  renameSync(join(from, split), join(to, name));
}

async function opened(
  data: string,
  more: PartialConfig = {},
): Promise<readonly [train: number, val: number | undefined, warnings: string]> {
  const told: string[] = [];
  const config = resolveConfig({ data: join(root, data), workers: 0, ...more });
  const { train, val, source } = await openData(config, (event) => {
    if (event.kind === 'warning') told.push(event.text);
  });
  await source.close?.();
  return [train.length, val?.length, told.join('\n')];
}

test('a folder of which only the validation split is left is not trained on in silence', async () => {
  const only = /^'val' is the only split of .*val alone: it is trained on/;
  expect(await opened('val alone')).toEqual([2, 2, expect.stringMatching(only)]);
});

test('splits are told by what their names end in', async () => {
  expect(await opened('prefixed')).toEqual([2, 1, '']);
});

test('validation data without an object are said to tell nothing', async () => {
  const folder = join(root, 'nothing to find');
  await writeShapes(folder, { splits: { train: 2, val: 1 }, size: [32, 32] });
  const file = join(folder, 'annotations/instances_val.json');
  const split = JSON.parse(readFileSync(file, 'utf8')) as object;
  writeFileSync(file, JSON.stringify({ ...split, annotations: [] }));
  expect(await opened('nothing to find')).toEqual([
    2,
    1,
    "The validation data 'nothing to find val' have no objects, so nothing says which weights are best; name others with valData (--val-data).",
  ]);
});

test('of several splits to train on none is taken because it comes first', async () => {
  await expect(opened('two pairs')).rejects.toMatchObject({
    code: 'DATASET_INVALID',
    found: expect.stringMatching(/^'day_train' \(.*\), 'night_train' \([^,]*\)$/),
    hint: 'Name it with split (--split), or name the annotation file itself.',
  });
});

test('what is measured on is called like what is trained on', async () => {
  expect(await opened('two pairs', { split: 'day_train' })).toEqual([2, 1, '']);
  expect(await opened('two pairs', { split: 'night_train' })).toEqual([3, 2, '']);
  await expect(opened('two pairs', { split: 'day_val' })).rejects.toMatchObject({
    found: expect.stringMatching(/^'day_val' \(.*\), 'night_val' \([^,]*\)$/),
    hint: 'Name the annotation file to evaluate on with valData (--val-data).',
  });
});

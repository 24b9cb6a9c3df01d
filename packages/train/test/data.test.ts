// What is said of the data before anything is computed, and which splits are taken.
import { mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeShapes } from '@rcnn/coco-data/node';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { resolveConfig } from '../src/config/resolve.ts';
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
afterAll(() => rmSync(root, { recursive: true }));

async function opened(data: string): Promise<readonly [train: number, val: number | undefined, warnings: string]> {
  const told: string[] = [];
  const config = resolveConfig({ data: join(root, data), workers: 0 });
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

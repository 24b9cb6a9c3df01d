import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeShapes } from '@rcnn/coco-data/node';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { main } from '../src/main.ts';

// Engines come from where the program stands, whatever the current folder has: each command must ask its loaders.
vi.mock('../src/engines/loaders.ts', () => ({
  loaders: { tensorflow: () => Promise.reject(new Error('the loader was asked')) },
}));

const folder = mkdtempSync(join(tmpdir(), 'cli-loaders-'));
beforeAll(async () => {
  await writeShapes(folder, { splits: { val: 1 }, size: [32, 32] });
  writeFileSync(join(folder, 'weights.safetensors'), '');
});
afterAll(() => rmSync(folder, { recursive: true }));

const weights = ['--weights', join(folder, 'weights.safetensors')];

test.each([
  ['train', []],
  ['val', weights],
  ['predict', weights],
  ['visualize', weights],
])('%s', async (command, flags) => {
  let err = '';
  const stderr = vi.spyOn(process.stderr, 'write').mockImplementation((text) => (err += String(text)).length > 0);
  const what = command === 'predict' ? join(folder, 'val') : folder;
  const code = await main([command, what, ...flags, '--engine', 'tensorflow']);
  stderr.mockRestore();
  expect(err).toContain(
    'error ENGINE_MISSING: useEngine (tensorflow): the engine is not available: the loader was asked',
  );
  expect(code).toBe(1);
});

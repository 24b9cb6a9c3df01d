import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { compileKernel, kernelModule } from '@rcnn/shared/kernel';
import { expect, test } from 'vitest';

const folder = fileURLToPath(new URL('..', import.meta.url));

test('the committed kernel is what its source compiles to', async () => {
  const committed = readFileSync(new URL('../src/kernel-bytes.ts', import.meta.url), 'utf8');
  expect(committed).toBe(kernelModule(await compileKernel(folder)));
});

test('the kernel is small enough to compile on a browser’s main thread', async () => {
  expect((await compileKernel(folder)).length).toBeLessThan(4096);
});

import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { compileKernel, kernelModule } from '../build/kernel.mjs';

test('the committed kernel is what its source compiles to', async () => {
  const committed = readFileSync(new URL('../src/kernel-bytes.ts', import.meta.url), 'utf8');
  expect(committed).toBe(kernelModule(await compileKernel()));
});

test('the kernel is small enough to compile on a browser’s main thread', async () => {
  expect((await compileKernel()).length).toBeLessThan(4096);
});

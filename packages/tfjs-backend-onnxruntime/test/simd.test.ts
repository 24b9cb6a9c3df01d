import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { compileKernel, kernelModule } from '@rcnn/shared/kernel';
import { expect, test } from 'vitest';

test('the committed kernels are what their source compiles to', async () => {
  const committed = readFileSync(new URL('../src/kernel-bytes.ts', import.meta.url), 'utf8');
  const folder = fileURLToPath(new URL('..', import.meta.url));
  expect(committed).toBe(kernelModule(await compileKernel(folder)));
});

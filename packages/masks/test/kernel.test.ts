import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Random } from '@rcnn/core/random';
import { compileKernel, kernelModule } from '@rcnn/shared/kernel';
import { expect, test } from 'vitest';
import { encodeColumnsInJs, encodeRowsInJs } from '../src/forms/bitmap.ts';
import { encodeColumns, encodeRows } from '../src/index.ts';
import { findRuns } from '../src/kernel.ts';

const folder = fileURLToPath(new URL('..', import.meta.url));

test('the committed bytes are what the sources compile to', async () => {
  const committed = readFileSync(new URL('../src/kernel-bytes.ts', import.meta.url), 'utf8');
  expect(committed).toBe(kernelModule(await compileKernel(folder)));
});

test('SIMD and JavaScript agree on bitmaps of every size and restlessness', () => {
  const random = new Random(3);
  for (let i = 0; i < 600; i++) {
    const size = [1 + random.integer(90), 1 + random.integer(200)] as const;
    const bitmap = new Uint8Array(size[0] * size[1]);
    const longest = random.pick([1, 3, 40, 400]);
    for (let at = 0; at < bitmap.length; ) {
      const end = at + 1 + random.integer(longest);
      bitmap.fill(random.chance(0.5) ? 0 : random.pick([1, 1, 128, 255]), at, end);
      at = end;
    }
    expect(findRuns(bitmap, size, 'rows')).toBeDefined();
    expect(encodeRows(bitmap, size)).toEqual(encodeRowsInJs(bitmap, size));
    expect(encodeColumns(bitmap, size)).toEqual(encodeColumnsInJs(bitmap, size));
  }
});

test('bitmaps that turn more often than the kernel lists are left to JavaScript', () => {
  const size = [300, 300] as const;
  const bitmap = Uint8Array.from({ length: 90_000 }, (_, i) => (Math.floor(i / 300) + i) % 2);
  expect(findRuns(bitmap, size, 'rows')).toBeUndefined();
  // Every pixel turns, but for the tops of columns: the foot of the column before has their value.
  expect(encodeRows(bitmap, size).counts.length).toBe(90_000 - 299);
});

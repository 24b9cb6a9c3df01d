import { expect, test } from 'vitest';
import { memoryEntry, readNumbers } from '../src/index.ts';

test.each([
  ['float32', Float32Array.of(1.5, -2, 0), [1.5, -2, 0]],
  ['float64', Float64Array.of(0.5, 1e3, -1), [0.5, 1000, -1]],
  ['float16', Uint16Array.of(0x3c00, 0xc000, 0x3800), [1, -2, 0.5]],
  ['bfloat16', Uint16Array.of(0x3f80, 0xc000, 0x3f00), [1, -2, 0.5]],
  ['int64', BigInt64Array.of(1n, -2n, 3n), [1, -2, 3]],
  ['uint8', Uint8Array.of(0, 7, 255), [0, 7, 255]],
  ['bool', Uint8Array.of(0, 1, 1), [0, 1, 1]],
] as const)('the numbers of a tensor of %s', async (dtype, stored, expected) => {
  expect([...(await readNumbers(memoryEntry('x', dtype, [3], stored)))]).toEqual(expected);
});

test('a type without plain numbers is named', async () => {
  const complex = memoryEntry('x', 'complex64', [1], new Float32Array(2));
  await expect(readNumbers(complex)).rejects.toThrow('a tensor of this type has no plain numbers; found complex64');
});

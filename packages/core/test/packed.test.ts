import { expect, test } from 'vitest';
import { unpackHint } from '../src/errors.ts';

test('files that another program packed, by their first bytes', () => {
  const hint = (...bytes: number[]): string | undefined => unpackHint(Uint8Array.from(bytes));
  expect(hint(0x1f, 0x8b, 8)).toBe('It is packed with gzip: unpack it first.');
  expect(hint(0x50, 0x4b, 3, 4, 20)).toContain('zip');
  expect(hint(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0)).toContain('xz');
  expect(hint(0x28, 0xb5, 0x2f, 0xfd)).toContain('zstd');
  expect(hint(0x42, 0x5a, 0x68, 0x39)).toContain('bzip2');
  for (const bytes of [[], [0x1f], [0x5b, 0x5d], [0x7b]]) expect(hint(...bytes)).toBeUndefined();
});

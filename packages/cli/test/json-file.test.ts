import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, expect, test } from 'vitest';
import { readJson } from '../src/options/json-file.ts';

const root = mkdtempSync(join(tmpdir(), 'cli-json-'));
afterAll(() => rmSync(root, { recursive: true }));

function written(bytes: Uint8Array | string): string {
  const path = join(root, 'results.json');
  writeFileSync(path, bytes);
  return path;
}

test('a byte order mark is passed over', () => {
  expect(readJson(written('\uFEFF[{"image_id": 1}]'))).toEqual([{ image_id: 1 }]);
});

test.each([
  ['gzip', gzipSync('[]')],
  ['zip', Uint8Array.of(0x50, 0x4b, 3, 4, 20, 0)],
  ['xz', Uint8Array.of(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0)],
  ['zstd', Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 4)],
  ['bzip2', Uint8Array.of(0x42, 0x5a, 0x68, 0x39)],
])('a file packed with %s is told', (program, bytes) => {
  const hint = `It is packed with ${program}: unpack it first.`;
  expect(() => readJson(written(bytes))).toThrow(expect.objectContaining({ code: 'FILE_MALFORMED', hint }));
});

test('what is no JSON and not packed, or empty, says what was found', () => {
  for (const text of ['{"a": ', '']) {
    const thrown = expect.objectContaining({
      code: 'FILE_MALFORMED',
      found: expect.stringMatching(/JSON/),
      hint: undefined,
    });
    expect(() => readJson(written(text))).toThrow(thrown);
  }
});

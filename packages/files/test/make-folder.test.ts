import { existsSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { makeFolderSync, OutputFolder } from '../src/index.ts';

const root = mkdtempSync(join(tmpdir(), 'rcnn-make-folder-'));
afterAll(() => rmSync(root, { recursive: true }));

test('makes a folder with all above it, and takes one that is there', () => {
  const path = join(root, 'a', 'b', 'c');
  for (let time = 0; time < 2; time++) makeFolderSync(path);
  expect(statSync(path).isDirectory()).toBe(true);
});

test('a file, or a link to nothing, in its place or above it is an error', () => {
  writeFileSync(join(root, 'file'), '');
  symlinkSync(join(root, 'nothing'), join(root, 'dangling'));
  for (const path of ['file', 'file/below', 'dangling', 'dangling/below'])
    expect(() => makeFolderSync(join(root, path))).toThrow(/EEXIST|ENOTDIR|ENOENT/);
  expect(existsSync(join(root, 'nothing'))).toBe(false);
});

test.skipIf(process.platform !== 'linux')(
  'where no folder can be made it is refused at once',
  { meta: { whySkipped: 'needs /proc' } },
  async () => {
    for (const path of ['/proc/x', '/proc/x/y', '/proc/self/fd/x/y']) {
      expect(() => makeFolderSync(path)).toThrow(/ENOENT|EACCES|EPERM|EROFS/);
      await expect(OutputFolder.open(path)).rejects.toThrow(/cannot be written/);
    }
  },
);

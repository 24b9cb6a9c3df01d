import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { fileError, openRegular, openRegularSync, readTextSync, requireReplaceable } from '../src/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'rcnn-files-'));
afterAll(() => rmSync(folder, { recursive: true }));

const at = (name: string): string => join(folder, name);
writeFileSync(at('file'), 'text');
symlinkSync('file', at('link'));
symlinkSync('nowhere', at('broken'));

/** The ways to open; each gives the text, and nothing stays open. */
const ways = {
  async openRegular(path: string): Promise<string> {
    const file = await openRegular(path);
    const text = await file.readFile('utf8');
    await file.close();
    return text;
  },
  async openRegularSync(path: string): Promise<string> {
    const file = openRegularSync(path);
    const text = readFileSync(file, 'utf8');
    closeSync(file);
    return Promise.resolve(text);
  },
  readTextSync: async (path: string): Promise<string> => Promise.resolve(readTextSync(path)),
};

test('what a new file may take the place of', async () => {
  for (const name of ['file', 'link', 'none', 'broken']) await requireReplaceable(at(name));
  await expect(requireReplaceable(folder)).rejects.toMatchObject({ code: 'FILE_REFUSED' });
  if (process.platform !== 'win32')
    await expect(requireReplaceable('/dev/zero')).rejects.toMatchObject({ code: 'FILE_REFUSED' });
});

describe.each(Object.entries(ways))('%s', (_, read) => {
  test.each(['file', 'link'])('reads a %s', async (name) => {
    expect(await read(at(name))).toBe('text');
  });

  test.each([
    ['nothing', 'none', { code: 'FILE_MISSING' }],
    ['a link to nothing', 'broken', { code: 'FILE_MISSING' }],
    ['a file in a file', 'file/x', { code: 'FILE_MISSING' }],
    ['a name that is too long', 'x'.repeat(300), { code: 'FILE_MISSING' }],
    ['a folder', '.', { code: 'FILE_REFUSED', found: 'a folder' }],
  ])('refuses %s', async (_name, name, error) => {
    await expect(read(at(name))).rejects.toMatchObject(error);
  });

  describe.runIf(process.platform !== 'win32')(
    'what is not there on Windows',
    { meta: { whySkipped: 'needs a system other than Windows' } },
    () => {
      test('refuses a pipe at once, a device, a socket', async () => {
        const pipe = at(`pipe-${read.name}`);
        execFileSync('mkfifo', [pipe]);
        await expect(read(pipe)).rejects.toMatchObject({ code: 'FILE_REFUSED', found: 'a pipe' });
        await expect(read('/dev/zero')).rejects.toMatchObject({ code: 'FILE_REFUSED', found: 'a device' });
        const socket = at(`socket-${read.name}`);
        const server = createServer();
        await new Promise<void>((listening) => void server.listen(socket, listening));
        await expect(read(socket)).rejects.toMatchObject({ code: 'FILE_REFUSED', found: 'a socket' });
        await new Promise((closed) => server.close(closed));
      });
    },
  );
});

test('another code for what is missing, as images want it', async () => {
  await expect(openRegular(at('none'), 'IMAGE_MISSING')).rejects.toMatchObject({ code: 'IMAGE_MISSING' });
});

test('errors of the system keep their code and say what to do', () => {
  const error = fileError('here', 'cannot be written', Object.assign(new Error(), { code: 'EROFS' }));
  expect(error).toMatchObject({ code: 'IO_FAILED', found: 'EROFS', hint: 'The disk is read-only.' });
  expect(fileError('here', 'cannot be written', Object.assign(new Error(), { code: 'ENOSPC' })).code).toBe('DISK_FULL');
});

import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HOSTILE_NAMES } from '@rcnn/shared/hostile-names';
import { afterAll, describe, expect, test } from 'vitest';
import { OutputFolder, plainName } from '../src/index.ts';

const root = mkdtempSync(join(tmpdir(), 'rcnn-output-'));
afterAll(() => rmSync(root, { recursive: true }));

describe('names from outside', () => {
  test('each gets a path of its own below the folder', async () => {
    const output = await OutputFolder.open(join(root, 'names'));
    const folder = output.takeFolder('train');
    const paths = [...HOSTILE_NAMES, ...HOSTILE_NAMES].map((name) => output.take(folder, name));
    expect(new Set(paths.map((path) => path.normalize('NFC').toLowerCase())).size).toBe(2 * HOSTILE_NAMES.length);
    for (const path of paths) {
      const file = await output.file(`${folder}/${path}`);
      expect(file.startsWith(join(root, 'names', 'train/'))).toBe(true);
      expect(path).not.toMatch(/\p{Cc}|\p{Bidi_Control}|\p{Cs}|(?:^|\/)\.\.?(?:\/|$)/u);
      expect(Math.max(...path.split('/').map((part) => Buffer.byteLength(part)))).toBeLessThan(256);
      writeFileSync(file, 'x', { flag: 'wx' });
    }
  });

  test('an ordinary name stays as it is', async () => {
    const output = await OutputFolder.open(join(root, 'ordinary'));
    for (const name of ['a b%20c.png', 'x..y.png', 'Größe 1 #2/日本.jpg', 'sub/deep/name.v2.jpeg', '.hidden'])
      expect(output.take('train', name)).toBe(name);
    expect(output.take('train', 'images\\p0.png')).toBe('images/p0.png');
  });

  test('a link in the folder is not followed', async () => {
    const [at, elsewhere] = [join(root, 'linked'), join(root, 'elsewhere')];
    mkdirSync(at);
    mkdirSync(elsewhere);
    symlinkSync(elsewhere, join(at, 'train'));
    const output = await OutputFolder.open(at);
    await expect(output.file('train/a.png')).rejects.toMatchObject({ code: 'PATH_REFUSED' });
    await expect(output.file('../a.png')).rejects.toMatchObject({ code: 'PATH_REFUSED' });
  });

  test('folders are distinct too, also below others', async () => {
    const output = await OutputFolder.open(join(root, 'folders'));
    const crops = output.takeFolder('crops');
    const folders = ['a', 'A', '../a', '', '..', 'con', 'a/b'].map((name) => output.takeFolder(name, crops));
    expect(folders.slice(0, 3)).toEqual(['crops/a', 'crops/A-2', 'crops/__a']);
    expect(new Set(folders.map((folder) => folder.toLowerCase())).size).toBe(7);
    for (const folder of folders) expect(folder).toMatch(/^crops\/(?!\.+$)[^/]+$/);
  });

  test('as one name, each is plain everywhere', () => {
    for (const name of HOSTILE_NAMES) {
      expect(plainName(name)).toMatch(/^(?!con$|con\.|nul\.|\.+$)[^/\\<>:"|?*\p{Cc}\p{Bidi_Control}\p{Cs}]+$/iu);
      expect(Buffer.byteLength(plainName(name))).toBeLessThan(181);
    }
  });
});

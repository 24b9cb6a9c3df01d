import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import sharp from 'sharp';
import { pack } from 'tar-stream';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { imageFiles } from '../src/pictures/image-files.ts';
import { onceEach } from '../src/pictures/once-each.ts';
import { imageUnits } from '../src/predict/image-inputs.ts';
import { readList } from '../src/predict/list-file.ts';
import { tarImages } from '../src/predict/tar-images.ts';
import { saveCertainModel } from './support/certain-model.ts';
import { call } from './support/program.ts';

// What predict is given: every file once, what cannot be used by its name, nothing in silence.
const root = mkdtempSync(join(tmpdir(), 'cli-sources-'));
const at = (...parts: string[]): string => join(root, ...parts);
let png: Buffer;

beforeAll(async () => {
  png = await sharp({ create: { width: 16, height: 12, channels: 3, background: 'red' } })
    .png()
    .toBuffer();
  mkdirSync(at('photos'));
  for (const name of ['a.png', 'b.jfif', '._a.png', 'b.dng', 'c.jxl', 'note.txt'])
    writeFileSync(at('photos', name), png);
  await saveCertainModel(at('model.safetensors'), ['thing']);
}, 600_000);
afterAll(() => rmSync(root, { recursive: true, force: true }));
afterEach(() => void vi.unstubAllEnvs());

describe('each file once', () => {
  test('whichever way its path is written, also through a link to its folder; a link to a file has its own name', () => {
    symlinkSync(at('photos'), at('other-way'));
    symlinkSync(at('photos', 'a.png'), at('photos', 'link.png'));
    const names = [at('photos/a.png'), `${root}/photos/../photos/a.png`, at('other-way/a.png'), at('photos/link.png')];
    expect(onceEach(names, (name) => name)).toEqual([names[0], names[3]]);
    rmSync(at('photos', 'link.png'));
    const addresses = ['https://x.org/a.png', 'https://x.org/a.png?1', 'https://x.org/a.png'];
    expect(onceEach(addresses, (name) => name)).toEqual(addresses.slice(0, 2));
    expect(onceEach(['gone/a.png', './gone/a.png'], (name) => name)).toEqual(['gone/a.png']);
  });

  test('named twice among arguments and in a list', async () => {
    const units = await imageUnits([at('photos/a.png'), at('photos')], { listed: [`${root}/./photos/a.png`] });
    expect(units.map(({ name }) => name.slice(root.length + 1))).toEqual([
      'photos/a.png',
      'photos/b.jfif',
      'photos/c.jxl',
    ]);
  });
});

test.skipIf(process.platform === 'win32')(
  'a pattern tells of pipes and links to nothing as a folder does, and ends where links go round',
  { meta: { whySkipped: 'needs a system other than Windows' } },
  async () => {
    mkdirSync(at('odd/x.png'), { recursive: true });
    execFileSync('mkfifo', [at('odd/pipe.png')]);
    symlinkSync('nothing', at('odd/gone.png'));
    symlinkSync('loop.png', at('odd/loop.png'));
    symlinkSync('..', at('odd/x.png/up'));
    writeFileSync(at('odd/x.png/in.png'), png);
    const found = await imageFiles('test', [at('odd/**/*.png')]);
    expect(found.map((name) => name.slice(root.length + 1))).toEqual([
      'odd/gone.png',
      'odd/loop.png',
      'odd/pipe.png',
      'odd/x.png/in.png',
    ]);
  },
);

describe('a list', () => {
  const list = (name: string, bytes: Buffer): string => {
    writeFileSync(at(name), bytes);
    return at(name);
  };
  const text = 'a[1].png\r\n\r\nGrün #2.png\r\n';

  test.each([
    ['UTF-8', Buffer.from(text)],
    ['UTF-8 with a mark', Buffer.from(`\ufeff${text}`)],
    ['UTF-16, as PowerShell writes it', Buffer.from(`\ufeff${text}`, 'utf16le')],
    ['UTF-16, the other way round', Buffer.from(`\ufeff${text}`, 'utf16le').swap16()],
    ['zero bytes between names of any length', Buffer.from('a[1].png\0Grün #2.png\0')],
  ])('in %s', async (name, bytes) => {
    expect(await readList(list(`${name}.txt`, bytes))).toEqual(['a[1].png', 'Grün #2.png']);
  });

  test('zero bytes between names of one letter are no UTF-16', async () => {
    expect(await readList(list('short.txt', Buffer.from('a\0b\0')))).toEqual(['a', 'b']);
  });
});

test('links in an archive are told; the companions of macOS are passed over', async () => {
  const tar = pack();
  tar.entry({ name: 'a.png' }, png);
  tar.entry({ name: 'again.png', type: 'link', linkname: 'a.png' });
  tar.entry({ name: 'far.png', type: 'symlink', linkname: '/etc/passwd' });
  tar.entry({ name: 'folder.png', type: 'directory' });
  tar.entry({ name: '._a.png' }, 'x');
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar as unknown as AsyncIterable<Buffer>) chunks.push(chunk);
  writeFileSync(at('links.tar'), Buffer.concat(chunks));
  const told: string[] = [];
  for await (const { file, read } of tarImages(at('links.tar'), {}))
    told.push(
      await read().then(
        ({ width }) => `${file.slice(root.length + 1)} ${width}`,
        (error: Error) => error.message.slice(root.length + 1),
      ),
    );
  expect(told).toEqual([
    'links.tar/a.png 16',
    expect.stringMatching(/^links\.tar\/again\.png: .* a link to 'a\.png'\./),
    expect.stringMatching(/^links\.tar\/far\.png: .* a link to '\/etc\/passwd'\./),
  ]);
});

describe('what is told before any work', () => {
  test('a file whose name is read as an option', async () => {
    vi.spyOn(process, 'cwd').mockReturnValue(root);
    const { code, err } = await call('predict', '-none.png');
    vi.restoreAllMocks();
    expect(code).toBe(2);
    expect(err).not.toContain('./-none.png');
    const before = process.cwd();
    writeFileSync(at('-dash.png'), png);
    try {
      process.chdir(root);
      expect((await call('predict', '-dash.png')).err).toContain('write ./-dash.png for it');
    } finally {
      process.chdir(before);
    }
  });

  test('stdin for two things', async () => {
    const { code, err } = await call('predict', '-', '--list', '-');
    expect(code).toBe(2);
    expect(err).toContain('stdin cannot be an image and a list at once');
  });

  test('addresses of other kinds', async () => {
    const { code, err } = await call('predict', 's3://bucket/a.png');
    expect(code).toBe(1);
    expect(err).toContain('those with http and https are read');
  });

  test('--offline fetches no image', async () => {
    const [unit] = await imageUnits(['http://127.0.0.1:9/a.png'], { offline: true });
    const { images } = unit!;
    await expect(typeof images === 'function' ? undefined : images.read()).rejects.toMatchObject({ code: 'OFFLINE' });
  });

  test('folders that crops cannot be written into, by one error', async () => {
    mkdirSync(at('out'));
    symlinkSync(root, at('out/crops'));
    const args = ['--weights', at('model.safetensors'), '--out', at('out'), '--save-crops'];
    const { code, err } = await call('predict', at('photos/a.png'), at('photos/b.jfif'), ...args);
    expect(code).toBe(1);
    expect(err.match(/error PATH_REFUSED/g)).toHaveLength(1);
  });
});

test.skipIf(process.platform === 'win32')(
  'a video that cannot be read costs itself: images and other videos are done, and the list is written',
  { meta: { whySkipped: 'the stand-in for ffmpeg is a script with a first line' } },
  async () => {
    const frame = `P6\n8 6\n255\n${'x'.repeat(8 * 6 * 3)}`;
    const script = `#!${process.execPath}
if (process.argv.some((word) => word.endsWith('bad.mp4'))) { process.stderr.write('nothing in it.'); process.exit(1); }
if (process.argv[1].endsWith('ffprobe')) process.stdout.write('{}'); else process.stdout.write(${JSON.stringify(frame)});
`;
    for (const name of ['ffmpeg', 'ffprobe']) {
      writeFileSync(at(name), script);
      chmodSync(at(name), 0o755);
    }
    for (const name of ['bad.mp4', 'good.mp4']) writeFileSync(at(name), '');
    vi.stubEnv('PATH', `${root}${delimiter}${process.env['PATH']}`);
    const args = ['--weights', at('model.safetensors'), '--no-save', '--results', at('all.json')];
    const { code, out, err } = await call('predict', at('photos/a.png'), at('bad.mp4'), at('good.mp4'), ...args);
    expect(code).toBe(1);
    expect(out).toContain('good.mp4: 1 frame\n');
    expect(err).toContain('1 image, 2 videos');
    expect(err).toMatch(/error IMAGE_CORRUPT: .*bad\.mp4: .* found nothing in it\.\n/);
    expect(err).toContain('1 of 2 videos could not be used.');
    const files = (JSON.parse(readFileSync(at('all.json'), 'utf8')) as { file_name: string }[]).map(
      (one) => one.file_name,
    );
    expect(new Set(files)).toEqual(new Set([at('photos/a.png'), 'good.mp4#1']));
    expect(existsSync(at('runs'))).toBe(false);
  },
);

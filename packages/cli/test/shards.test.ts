import { createHash } from 'node:crypto';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { writeShapes } from '@rcnn/coco-data/node';
import sharp from 'sharp';
import { pack } from 'tar-stream';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { weightsDigest } from '../src/shards/weights-digest.ts';
import { patchesArchitecture, savePatches } from './support/patches-architecture.ts';
import { type Call, callWith } from './support/program.ts';
import { picture } from './support/stand-in.ts';

// One process against many: the same bytes, whatever happens to the parts.
const root = mkdtempSync(join(tmpdir(), 'cli-shards-'));
const home = process.cwd();
const IMAGES = 23;
const SHARDS = 4;

const call = (...args: string[]): Promise<Call> => callWith({ architectures: [patchesArchitecture] }, ...args);
const MODEL = ['--weights', 'weights.safetensors', '--engine', 'cpu'];
const predict = (...args: string[]): Promise<Call> => call('predict', ...args, ...MODEL);

async function png(i: number): Promise<Buffer> {
  const { data, width, height } = picture([12, 16], i % 5 === 0 ? [] : [[i % 7, 2, 3, 1 + (i % 3)], [10, 6, 4, 2]]); // biome-ignore format: rows
  return sharp(Buffer.from(data.buffer as ArrayBuffer), { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer();
}

async function tar(file: string, entries: readonly (readonly [name: string, bytes: Buffer])[]): Promise<void> {
  const archive = pack();
  for (const [name, bytes] of entries) archive.entry({ name }, bytes);
  archive.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of archive as unknown as AsyncIterable<Buffer>) chunks.push(chunk);
  const whole = Buffer.concat(chunks);
  if (!file.endsWith('gz')) return writeFileSync(file, whole);
  const zipped: Buffer[] = [];
  await pipeline(Readable.from([whole]), createGzip(), async (stream: AsyncIterable<Buffer>) => {
    for await (const chunk of stream) zipped.push(chunk);
  });
  writeFileSync(file, Buffer.concat(zipped));
}

beforeAll(async () => {
  process.chdir(root);
  await savePatches('weights.safetensors');
  mkdirSync('photos');
  const names: string[] = [];
  for (let i = 0; i < IMAGES; i++) {
    const name = `photos/${String(i).padStart(4, '0')}.png`;
    writeFileSync(name, await png(i));
    names.push(name);
  }
  writeFileSync('photos/0007.png', readFileSync('photos/0007.png').subarray(0, 40));
  writeFileSync('all.txt', `${names.join('\n')}\n`);
  await writeShapes('shapes', { splits: { train: 2, val: 9 }, size: [48, 64], tiny: 0 });
});
afterAll(() => {
  process.chdir(home);
  rmSync(root, { recursive: true, force: true });
});

const digest = (file: string): string => createHash('sha256').update(readFileSync(file)).digest('hex');

/** All shards, in an order that nobody would choose. */
async function allShards(command: (shard: string) => Promise<Call>, count = SHARDS): Promise<void> {
  for (const index of [...Array(count).keys()].toSorted((a, b) => (b % 3) - (a % 3) || a - b)) {
    const { code, err } = await command(`${index}/${count}`);
    expect([code, /^error (?!IMAGE_|DUPLICATE_ID)/m.test(err) ? err : '']).toEqual([0, '']);
  }
}

describe('predict', () => {
  const part = (shard: string, ...more: string[]): Promise<Call> =>
    predict('--list', 'all.txt', '--shard', shard, '--parts', 'parts', ...more);

  test('in parts gives the bytes of one process', async () => {
    const whole = await predict('photos', '--results', 'whole.json', '--no-save');
    expect(whole.code).toBe(1); // one image is cut
    await allShards(part);
    expect(readdirSync('parts')).toHaveLength(SHARDS);
    const merged = await call('merge', 'parts', '--results', 'merged.json');
    expect(merged.code).toBe(1);
    expect(merged.err).toMatch(/^error IMAGE_CORRUPT: .*0007\.png/m);
    expect(merged.out).toBe(`23 images in 4 parts, ${JSON.parse(readFileSync('whole.json', 'utf8')).length} objects, 1 could not be used\n`); // biome-ignore format: one line
    expect(digest('merged.json')).toBe(digest('whole.json'));
    expect(digest('merged.jsonl')).toBe(digest('whole.jsonl'));
    const named = readdirSync('parts').map((name) => `parts/${name}`);
    const counts = await call('merge', ...named.toReversed(), '--json');
    expect(JSON.parse(counts.out)).toMatchObject({ images: IMAGES, bad: 1 });
    expect(readdirSync('.')).not.toContain('runs'); // no picture unless asked for
  });

  test('a finished part is not made again, a damaged or unfinished one is', async () => {
    const file = 'parts/part-00001-of-00004.jsonl';
    const before = digest(file);
    const left = 'parts/.part-00001-of-00004.jsonl.12345678-1234-1234-1234-123456789abc.tmp';
    writeFileSync(left, 'killed');
    const again = await part('1/4');
    expect(again.err).toContain('is there and whole; nothing to do.');
    expect(readdirSync('parts')).toHaveLength(SHARDS);
    const text = readFileSync(file, 'utf8');
    for (const damaged of [text.slice(0, 400), text.replace('"score":0.', '"score":1.'), '', 'x\n']) {
      writeFileSync(file, damaged);
      const merged = await call('merge', 'parts');
      expect(merged.err).toMatch(/^error (FILE_TRUNCATED|DIGEST_MISMATCH|FILE_MALFORMED): .*part-00001/m);
      expect(merged.code).toBe(1);
      expect((await part('1/4')).code).toBe(0);
      expect(digest(file)).toBe(before);
    }
  });

  test('what was bad is tried again when asked', async () => {
    const file = 'parts/part-00003-of-00004.jsonl'; // has photos/0007.png
    const cut = readFileSync('photos/0007.png');
    writeFileSync('photos/0007.png', await png(7));
    expect((await part('3/4')).err).toContain('nothing to do');
    expect((await part('3/4', '--retry-bad')).err).toContain('1 could not be used; making it again.');
    expect((await call('merge', 'parts')).code).toBe(0);
    writeFileSync('photos/0007.png', cut);
    rmSync(file);
    await part('3/4');
  });

  test('missing parts are named', async () => {
    renameSync('parts/part-00002-of-00004.jsonl', 'away.jsonl');
    const { code, err } = await call('merge', 'parts');
    expect(err).toMatch(/^error FILE_MISSING: .*1 of 4 parts is missing: part-00002-of-00004\.jsonl/m);
    expect(code).toBe(1);
    const twice = await call('merge', 'parts', 'away.jsonl', 'parts/part-00000-of-00004.jsonl');
    expect(twice.code).toBe(1);
    renameSync('away.jsonl', 'parts/part-00002-of-00004.jsonl');
    writeFileSync('copy.jsonl', readFileSync('parts/part-00002-of-00004.jsonl'));
    expect((await call('merge', 'parts', 'copy.jsonl')).err).toMatch(/^error DUPLICATE_ID: copy\.jsonl: two files/m);
  });

  test.each([
    ['another option', ['--list', 'all.txt', '--mask-threshold', '0.4', '--shard', '0/4'], 'maskThreshold'],
    ['another list', ['photos/0001.png', '--shard', '0/4'], 'items of the list'],
    ['another order', ['photos/0022.png', '--list', 'all.txt', '--shard', '0/4'], 'list'],
    ['another number of shards', ['--list', 'all.txt', '--shard', '0/5'], 'shards'],
  ])('%s is another run', async (_, args, fact) => {
    const { code, err } = await predict(...args, '--parts', 'parts');
    expect(err).toMatch(new RegExp(`^error INVALID_ARGUMENT: .*\\(${fact}\\): this part is of another run`, 'm'));
    expect(code).toBe(2);
    expect(readdirSync('parts')).toHaveLength(SHARDS);
  });

  test('more shards than images', async () => {
    const few = (shard: string) => predict('photos/0001.png', 'photos/0002.png', '--shard', shard, '--parts', 'few');
    await allShards(few, 5);
    expect((await call('merge', 'few')).out).toMatch(/^2 images in 5 parts/);
  });

  test('pictures of two shards never replace each other', async () => {
    for (const folder of ['a', 'b']) mkdirSync(folder);
    for (const folder of ['a', 'b']) writeFileSync(`${folder}/1.png`, await png(1));
    const both = (shard: string) => predict('a', 'b', '--shard', shard, '--parts', 'ab', '--save', '--out', 'drawn');
    await allShards(both, 2);
    expect(readdirSync('drawn', { recursive: true }).filter((name) => String(name).endsWith('1.png'))).toHaveLength(2);
  });

  test.each([
    [['all.txt', '--shard', '4/4'], /below the count/],
    [['all.txt', '--shard', 'x'], /names no part of a list/],
    [['all.txt', '--parts', 'x'], /--shard/],
    [['all.txt', '--shard', '0/2', '--results', 'x.json'], /mask-rcnn merge/],
    [['nowhere.txt'], /nowhere\.txt/],
  ])('--list %j is refused', async (args, message) => {
    const { code, err } = await predict('--list', ...args);
    expect(err).toMatch(message);
    expect(code).toBeGreaterThan(0);
  });

  test('the scheduler says which part', async () => {
    vi.stubEnv('JOB_COMPLETION_INDEX', '2');
    try {
      expect((await part('auto/4')).err).toContain('part-00002-of-00004.jsonl is there and whole');
    } finally {
      vi.unstubAllEnvs();
    }
  });
});

describe('lists', () => {
  test.each([
    ['line breaks of Windows, blank lines, a mark', '\uFEFFphotos/0001.png\r\n\r\nphotos/0002.png'],
    ['zero bytes', 'photos/0001.png\0photos/0002.png\0'],
    ['names that come twice', 'photos/0001.png\nphotos/0002.png\nphotos/0001.png\n'],
  ])('%s', async (_, text) => {
    writeFileSync('list.txt', text);
    const { code, out } = await predict('--list', 'list.txt', '--no-save');
    expect([code, out.trimEnd().split('\n').length]).toEqual([0, 2]);
  });

  test('an empty list is refused; a name that is wrong costs itself', async () => {
    writeFileSync('list.txt', '\n\n');
    expect((await predict('--list', 'list.txt')).err).toMatch(/^error DATASET_INVALID: list\.txt: the list is empty/m);
    writeFileSync('list.txt', 'photos/0001.png\nphotos/*.png\nphotos\n');
    const { code, out, err } = await predict('--list', 'list.txt', '--no-save');
    expect([code, out.trimEnd().split('\n').length, err.match(/^error /gm)?.length]).toEqual([1, 1, 2]);
  });
});

describe('archives', () => {
  beforeAll(async () => {
    const entries = await Promise.all(
      [1, 2, 3, 4].map(async (i) => [[`${i}.png`, await png(i)] as const, [`${i}.json`, Buffer.from('{}')] as const]),
    );
    await tar('one.tar', entries.flat());
    const evil = await png(6);
    await tar('two.tar.gz', [['../../evil.png', evil], ['/etc/evil.png', evil], ['sub/1.png', evil], ['sub/1.png', evil]]); // biome-ignore format: rows
    writeFileSync('cut.tar', readFileSync('one.tar').subarray(0, 3000));
    writeFileSync('noise.tar', Buffer.alloc(5000, 'noise'));
  });

  test('are read in parts as a whole, and nothing leaves the folder', async () => {
    const names = ['one.tar', 'two.tar.gz', 'photos/0001.png'];
    const whole = await predict(...names, '--results', 'tars.json', '--out', 'deep/er/drawn');
    expect(whole.err).toMatch(/^error DUPLICATE_ID: two\.tar\.gz\/sub\/1\.png/m);
    expect(readdirSync('deep/er/drawn').sort()).toEqual(
      ['0001.png', '1-2.png', '1.png', '2.png', '3.png', '4.png', 'evil-2.png', 'evil.png'].sort(),
    );
    expect(readdirSync('deep')).toEqual(['er']);
    await allShards((shard) => predict(...names, '--shard', shard, '--parts', 'tars'), 2);
    const merged = await call('merge', 'tars', '--results', 'tars-merged.json');
    expect(merged.out).toMatch(/^9 images in 2 parts, \d+ objects, 1 could/);
    expect(digest('tars-merged.json')).toBe(digest('tars.json'));
    const ids = (JSON.parse(readFileSync('tars.json', 'utf8')) as { image_id: unknown }[]).map(
      ({ image_id }) => image_id,
    );
    expect(new Set(ids)).toEqual(
      new Set(['one.tar/1', 'one.tar/2', 'one.tar/3', 'one.tar/4', 'two.tar.gz/../../evil', 'two.tar.gz//etc/evil', 'two.tar.gz/sub/1', 1]), // biome-ignore format: ids
    );
  });

  test.each([
    ['cut.tar', 2],
    ['noise.tar', 0],
    ['missing.tar', 0],
  ])('%s costs what is behind the break', async (name, found) => {
    writeFileSync('list.txt', `${name}\nphotos/0001.png\n`);
    const { code, out, err } = await predict('--list', 'list.txt', '--no-save');
    expect(err).toMatch(new RegExp(`^error (FILE_MALFORMED|FILE_MISSING): .*${name}`, 'm'));
    expect([code, out.trimEnd().split('\n').length]).toEqual([1, found + 1]);
  });
});

describe('hostile archives', () => {
  test('cut anywhere: what is whole is used, and each image behind costs itself', async () => {
    const whole = readFileSync('one.tar');
    for (let length = 0; length < whole.length; length += 301) {
      writeFileSync('cut-here.tar', whole.subarray(0, length));
      const { code, err } = await predict('cut-here.tar', '--no-save');
      expect([length, err.includes('not an error we expected')]).toEqual([length, false]);
      // Behind the last image there is nothing that could be lost.
      if (code !== 0) expect(err).toMatch(/^error (FILE_MALFORMED|DATASET_INVALID): cut-here\.tar/m);
      else expect(length).toBeGreaterThan(whole.length - 4 * 512 - 301);
    }
  });

  test.each(['empty', 'zeros', 'links'])('%s: an archive without an image is a mistake', async (kind) => {
    const archive = pack();
    archive.entry({ name: 'l.png', type: 'symlink', linkname: '/etc/passwd' });
    archive.entry({ name: 'd.png', type: 'character-device' });
    archive.finalize();
    const links: Buffer[] = [];
    for await (const chunk of archive as unknown as AsyncIterable<Buffer>) links.push(chunk);
    const bytes = { empty: Buffer.alloc(0), zeros: Buffer.alloc(10240), links: Buffer.concat(links) }[kind]!;
    writeFileSync(`${kind}.tar`, bytes);
    const { code, err } = await predict(`${kind}.tar`, '--no-save');
    const told =
      kind === 'links'
        ? [
            /^error FILE_REFUSED: links\.tar\/l\.png: .* a link to /,
            /^error FILE_REFUSED: links\.tar\/d\.png: .* a char/,
          ]
        : [new RegExp(`^error DATASET_INVALID: ${kind}\\.tar: there is no image`)];
    const expected = told.map((text) => expect.stringMatching(text) as string);
    expect([code, err.match(/^error [A-Z_]+: [^:]+: .+$/gm)]).toEqual([1, expected]);
  });
});

test('an endless list is given up', async () => {
  writeFileSync('endless.txt', '');
  truncateSync('endless.txt', 300 * 2 ** 20); // a hole: it takes no room on the disk
  const { code, err } = await predict('--list', 'endless.txt', '--no-save');
  expect([code, err.split('\n')[0]]).toEqual([
    1,
    expect.stringMatching(/^error FILE_REFUSED: endless\.txt: .*256 MiB/),
  ]);
});

test.each([
  [['http://127.0.0.1:9/%E0%A4%A.png'], MODEL, 1, 'DOWNLOAD_FAILED'],
  [['http://['], MODEL, 1, 'DOWNLOAD_FAILED'],
  [['photos/0001.png'], ['--weights', 'https://[x'], 2, 'INVALID_ARGUMENT'],
  [['photos/0001.png'], ['--weights', 'http://'], 2, 'INVALID_ARGUMENT'],
])('%o %o: an address that is none', async (images, weights, wanted, error) => {
  const { code, err } = await call('predict', ...images, '--no-save', '--engine', 'cpu', ...weights);
  expect([code, err.split('\n').filter((line) => line.startsWith('error'))]).toEqual([
    wanted,
    [expect.stringMatching(new RegExp(`^error ${error}: `))],
  ]);
});

describe('val', () => {
  const val = (...args: string[]): Promise<Call> => call('val', 'shapes', ...MODEL, ...args);

  test('in parts gives the numbers and the list of one process, to the bit', async () => {
    const whole = await val('--results', 'val.json', '--json');
    expect(whole.code).toBe(0);
    await allShards((shard) => val('--shard', shard, '--parts', 'val-parts'));
    const merged = await call('merge', 'val-parts', '--data', 'shapes', '--results', 'val-merged.json', '--json');
    expect([merged.code, merged.err]).toEqual([0, '']);
    const numbers = ({ out }: Call): object => ({ ...(JSON.parse(out) as object), seconds: 0 });
    expect(numbers(merged)).toEqual(numbers(whole));
    expect(numbers(whole)).toMatchObject({ images: 9, losses: { loss_area: expect.any(Number), loss_weight: 0.5 } });
    expect(digest('val-merged.json')).toBe(digest('val.json'));
    const table = await call('merge', 'val-parts', '--data', 'shapes', '--per-class', '--report', '0.5');
    expect(table.out).toContain('masks\n Average Precision');
    const of = async (...args: string[]): Promise<unknown> =>
      (JSON.parse((await call(...args, '--report', '--json')).out) as { reports: unknown }).reports;
    const reports = await of('merge', 'val-parts', '--data', 'shapes');
    expect(reports).toMatchObject({ segm: { scoreThreshold: expect.any(Number) as number } });
    expect(reports).toEqual(await of('val', 'shapes', ...MODEL));
  });

  test('what no category stands for is told of all parts together', async () => {
    await savePatches('two.safetensors', ['circle', 'square']);
    mkdirSync('two/images', { recursive: true });
    const images = [1, 2, 3].map((id) => ({ id, file_name: `${id}.png`, width: 16, height: 12 }));
    for (const { id } of images) {
      const { data, width, height } = picture([12, 16], [[2, 2, 3, 1], [10, 6, 4, 3]]); // biome-ignore format: rows
      const pixels = sharp(Buffer.from(data.buffer as ArrayBuffer), { raw: { width, height, channels: 3 } });
      writeFileSync(`two/images/${id}.png`, await pixels.png().toBuffer());
    }
    const annotations = images.map(({ id }) => ({ id, image_id: id, category_id: 1, bbox: [2, 2, 3, 3], area: 9 }));
    const categories = ['circle', 'square'].map((name, i) => ({ id: i + 1, name }));
    writeFileSync('two/annotations.json', JSON.stringify({ images, annotations, categories }));
    const two = (...args: string[]): Promise<Call> =>
      call('val', 'two', '--weights', 'two.safetensors', '--engine', 'cpu', '--no-losses', ...args);
    const told = /^warning: 3 objects were left out: no category has their label \(3\)\.$/m;
    expect((await two()).err).toMatch(told);
    await allShards((shard) => two('--shard', shard, '--parts', 'two-parts'), 2);
    const merged = await call('merge', 'two-parts', '--data', 'two');
    expect([merged.code, merged.err]).toEqual([0, expect.stringMatching(told)]);
  });

  test('other data, no data, and parts of predict are refused', async () => {
    expect((await call('merge', 'val-parts')).err).toMatch(/^error INVALID_ARGUMENT: --data/m);
    const other = await call('merge', 'val-parts', '--data', 'shapes', '--split', 'train');
    expect(other.err).toMatch(/these are not the data that the parts were made with/);
    expect((await call('merge', 'parts', '--data', 'shapes')).err).toMatch(/the parts are of predict/);
    expect((await call('merge', 'parts', '--report')).err).toMatch(/--report.*the parts are of predict/);
    expect((await val('--shard', '0/4', '--results', 'x.json')).code).toBe(2);
    expect((await val('--shard', '0/4', '--report')).code).toBe(2);
    expect((await val('--shard', '0/4', '--parts', 'parts')).code).toBe(2);
  });

  test('images that are left out are counted over all parts', async () => {
    const file = 'shapes/val/000005.png';
    const whole = readFileSync(file);
    writeFileSync(file, whole.subarray(0, 60));
    try {
      expect((await val('--shard', '0/1', '--parts', 'strict')).err).toMatch(/^error IMAGE_CORRUPT/m);
      const skip = ['--bad-samples', 'skip'];
      const one = await val('--json', ...skip);
      await allShards((shard) => val('--shard', shard, '--parts', 'skipped', ...skip));
      const merged = await call('merge', 'skipped', '--data', 'shapes', '--json');
      expect(merged.err).toMatch(/^left out image 5?6?: /m);
      expect({ ...JSON.parse(merged.out), seconds: 0 }).toEqual({ ...JSON.parse(one.out), seconds: 0 });
      const strict = await call('merge', 'skipped', '--data', 'shapes', '--max-skip-rate', '0');
      expect(strict.err).toMatch(/^error DATASET_INVALID: .*too many samples/m);
    } finally {
      writeFileSync(file, whole);
    }
  });
});

test('exported models, which show no weights, are told apart by their files', async () => {
  const exported = { namedParameters: () => new Map() };
  const digests = await Promise.all(
    ['photos/0001.png', 'photos/0002.png'].map((file) => weightsDigest(exported, file)),
  );
  expect(new Set(digests).size).toBe(2);
});

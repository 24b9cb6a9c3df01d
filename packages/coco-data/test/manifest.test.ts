import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Random } from '@rcnn/core/random';
import { beforeAll, expect, test } from 'vitest';
import { inspectDataset, readManifest, writeManifest, writeShapes } from '../src/node/index.ts';
import { temporaryFolder } from './folders.ts';

const root = temporaryFolder();
const clean = join(root, 'clean');
const manifest = join(root, 'SHA256SUMS');
beforeAll(async () => {
  await writeShapes(clean, { splits: { train: 400, val: 100 }, size: [40, 48], objects: [1, 2], format: 'jpg' });
});

test('500 damaged JPEG files, 500 found; without the manifest most are not', async () => {
  const { digests, report } = await inspectDataset(clean);
  expect(report.counts.error).toBe(0);
  expect(digests.size).toBe(500);
  await writeManifest(manifest, digests);

  const damaged = join(root, 'damaged');
  cpSync(clean, damaged, { recursive: true });
  const random = new Random(9);
  for (const split of ['train', 'val']) {
    for (const name of readdirSync(join(damaged, split))) {
      const bytes = readFileSync(join(damaged, split, name));
      bytes[random.integer(bytes.length)]! ^= 1 << random.integer(8);
      writeFileSync(join(damaged, split, name), bytes);
    }
  }
  const [without, against] = await Promise.all([
    inspectDataset(damaged),
    inspectDataset(damaged, { expected: (await readManifest(manifest))! }),
  ]);
  const bad = ({ problems }: typeof without, kind: string): number =>
    problems.list().find((entry) => entry.kind === kind)?.count ?? 0;
  expect(bad(against, 'image-changed')).toBe(500);
  expect(against.digests.size).toBe(0);
  expect(bad(without, 'image-corrupt')).toBeLessThan(250);
  expect(bad(without, 'image-changed')).toBe(0);
  console.log(
    `500 flipped bits: ${bad(without, 'image-corrupt')} do not decode, ${bad(against, 'image-changed')} found`,
  );
});

test('images that are as they were pass; one that the manifest does not know is a warning', async () => {
  const digests = (await readManifest(manifest))!;
  const same = await inspectDataset(clean, { expected: digests });
  expect(same.report.counts).toMatchObject({ error: 0, warning: 0 });
  expect(same.digests).toEqual(digests);
  const fewer = new Map([...digests].filter(([path]) => path !== 'val/000400.jpg'));
  const { report } = await inspectDataset(clean, { expected: fewer });
  expect(report.problems).toMatchObject([
    { kind: 'image-unlisted', severity: 'warning', count: 1, examples: [{ found: /val\/000400\.jpg/ }] },
  ]);
});

const SHA256SUM = '/usr/bin/sha256sum'; // by its place: PATH may lack it

test.runIf(existsSync(SHA256SUM))('sha256sum checks it', { meta: { whySkipped: `there is no ${SHA256SUM}` } }, () => {
  const checked = execFileSync(SHA256SUM, ['--check', '--quiet', '--strict', manifest], { cwd: clean });
  expect(checked.toString()).toBe('');
});

test('any name is kept, and what is no manifest is refused with its line', async () => {
  const file = join(root, 'odd');
  const digests = new Map(
    ['a b.jpg', 'é.jpg', 'back\\slash.jpg', 'two\nlines.jpg', '\\n.jpg'].map((name) => [name, 'f'.repeat(64)]),
  );
  await writeManifest(file, digests);
  expect(await readManifest(file)).toEqual(digests);
  const lost = join(root, 'no such folder/m');
  await expect(writeManifest(lost, digests)).rejects.toMatchObject({ where: lost, message: /^(?!.*\.part)/s });
  expect(await readManifest(join(root, 'none'))).toBeUndefined();
  writeFileSync(file, `${'0'.repeat(64)}  a.jpg\n${'0'.repeat(63)}  b.jpg\n`);
  await expect(readManifest(file)).rejects.toMatchObject({ code: 'FILE_MALFORMED', place: '2:1' });
});

import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeShapes } from '@rcnn/coco-data/node';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { main } from '../src/main.ts';

const root = mkdtempSync(join(tmpdir(), 'rcnn-cli-data-'));
const clean = join(root, 'clean');
const faulty = join(root, 'faulty');
beforeAll(async () => {
  const options = { splits: { train: 4, val: 2 }, size: [48, 64], objects: [2, 3], tiny: 0, seed: 8 } as const;
  await writeShapes(clean, options);
  await writeShapes(faulty, options);
  const file = join(faulty, 'annotations/instances_train.json');
  const json = JSON.parse(readFileSync(file, 'utf8')) as { annotations: { bbox: number[] }[] };
  json.annotations[1]!.bbox[2] = 0;
  writeFileSync(file, JSON.stringify(json));
  rmSync(join(faulty, 'val/000004.png'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));
afterEach(() => {
  vi.restoreAllMocks();
  process.exitCode = undefined;
});

/** Runs the program in this process; gives its exit code and what it wrote. */
async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const written = { out: '', err: '' };
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => ((written.out += String(text)), true));
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => ((written.err += String(text)), true));
  const code = await main(args);
  vi.restoreAllMocks();
  process.exitCode = undefined;
  return { code, ...written };
}

test('doctor says which image size and anchors fit, as options that the program takes', async () => {
  const { out } = await run('doctor', clean);
  expect(out).toMatch(/Objects of train by their side in pixels: below \d+: \d+/);
  const [, options] = /^ {2}mask-rcnn train .*clean (--model\.min-size .*)$/m.exec(out)!;
  const { code, out: config } = await run('train', clean, ...options!.split(' '), '--print-config');
  expect(code).toBe(0);
  expect(config).toMatch(/minSize: \d+/);
});

test('doctor gives a clean dataset its classes and exit code 0', async () => {
  const { code, out } = await run('doctor', clean);
  expect(code).toBe(0);
  expect(out).toMatch(/^class +train +val$/m);
  expect(out).toContain('0 errors, 0 warnings');
});

test('doctor lists every problem with its place, in text and in JSON, and fails', async () => {
  const { code, out } = await run('doctor', faulty);
  expect(code).toBe(1);
  expect(out).toMatch(
    /error box-degenerate: .* \(1\)\n.*instances_train\.json \/annotations\/1\/bbox: annotation 2 of image 1/,
  );
  expect(out).toMatch(/error image-missing: .*\n.*val \/images\/0: 000004\.png/);
  const json = await run('doctor', faulty, '--json', '--split', 'train');
  expect(json.code).toBe(1);
  expect(JSON.parse(json.out)).toMatchObject({
    counts: { error: 1 },
    problems: [{ kind: 'box-degenerate', count: 1 }],
  });
});

test('doctor --manifest writes the digests of a sound dataset, then finds what has changed', async () => {
  const [manifest, changed] = [join(root, 'manifest'), join(root, 'changed')];
  const first = await run('doctor', clean, '--manifest', manifest);
  expect(first).toMatchObject({ code: 0, out: expect.stringContaining(`6 images are sound and now in ${manifest}.`) });
  expect(readFileSync(manifest, 'utf8')).toMatch(/^[0-9a-f]{64} {2}train\/000000\.png\n/);
  const again = await run('doctor', clean, '--manifest', manifest);
  expect(again).toMatchObject({ code: 0, out: expect.stringContaining(`6 images are sound and as in ${manifest}.`) });
  cpSync(clean, changed, { recursive: true });
  cpSync(join(clean, 'val/000004.png'), join(changed, 'train/000001.png'));
  const { code, out } = await run('doctor', changed, '--manifest', manifest);
  expect(code).toBe(1);
  expect(out).toMatch(/error image-changed: .* \(1\)\n.*\/images\/1: 000001\.png: SHA-256/);
  expect(out).toContain('5 images are sound and as in');
});

test('doctor --fix writes a copy that passes', async () => {
  const copy = join(root, 'copy');
  const { code, out } = await run('doctor', faulty, '--fix', copy);
  expect(code).toBe(1); // an image with all its objects is gone
  const [account, verdict] = out.trimEnd().split('\n').slice(-2);
  expect(account).toMatch(/^The copy lost too much .* 1 image lost all its objects, or is not there at all\./);
  expect(verdict).toBe('What is in it is sound: where the rest is not wanted, use it.');
  expect(out).toContain('repairs; the copy is in');
  expect(out).not.toContain('--fix'); // that is what was just done
  const { repairs } = JSON.parse(readFileSync(join(copy, 'repairs.json'), 'utf8')) as {
    repairs: { action: string; place: string }[];
  };
  expect(repairs).toContainEqual(
    expect.objectContaining({ action: 'made box anew from mask', place: '/annotations/1' }),
  );
  expect(repairs).toContainEqual(
    expect.objectContaining({ action: 'left out image', place: '/images/0', split: 'val' }),
  );
  expect((await run('doctor', copy)).code).toBe(0);
  expect(await run('doctor', faulty, '--fix', copy)).toMatchObject({
    code: 1,
    err: expect.stringContaining('FILE_EXISTS'),
  });
});

test('doctor says how to have a copy without what is wrong, and says nothing where nothing is', async () => {
  const [before, command] = (await run('doctor', faulty)).out.match(/^A copy without them.*\n.*$/m)![0].split('\n');
  expect(before).toMatch(/:$/);
  expect(command).toBe(`  mask-rcnn doctor ${faulty} --fix repaired`);
  expect((await run('doctor', clean)).out).not.toContain('--fix');
});

test('some of the photographs of a VIA project, copied with all its annotations, are a set after --fix', async () => {
  const [part, copy] = [join(root, 'part'), join(root, 'part copy')];
  const outline = { name: 'polygon', all_points_x: [2, 30, 30], all_points_y: [2, 2, 30] };
  const named = (filename: string) => ({ filename, size: 1, regions: [{ shape_attributes: outline }] });
  mkdirSync(join(part, 'train'), { recursive: true });
  cpSync(join(clean, 'train/000000.png'), join(part, 'train/a.png'));
  writeFileSync(
    join(part, 'train/via_region_data.json'),
    JSON.stringify({ a: named('a.png'), b: named('b.png'), c: named('c.png') }),
  );
  const { code, out } = await run('doctor', part, '--fix', copy);
  expect(code).toBe(1);
  expect(out).toContain("The outlines of train name no class, so it is 'object': --class-name NAME names it.");
  expect(out).toContain(
    'it lacks 0 of 1 object that could be counted, 2 of 3 images. 2 images lost all their objects,',
  );
  expect(out).toContain('What is in it is sound');
  const again = await run('doctor', copy);
  expect(again).toMatchObject({ code: 0, out: expect.stringContaining('train (coco): 1 image, 1 object') });
  const thing = await run('doctor', part, '--class-name', 'thing');
  expect(thing.out).not.toContain('--class-name');
});

test('convert-data refuses a broken dataset and drops when told to', async () => {
  const out = join(root, 'converted');
  expect(await run('convert-data', faulty, out)).toMatchObject({
    code: 1,
    err: expect.stringContaining('BOX_DEGENERATE'),
  });
  const { code, out: text } = await run(
    'convert-data',
    faulty,
    out,
    '--drop',
    '--split',
    'train',
    '--image-files',
    'link',
  );
  expect(code).toBe(0);
  expect(text).toContain('a box has no width or no height (1)');
  expect(existsSync(join(out, 'train/000000.png'))).toBe(true);
  expect((await run('doctor', out)).code).toBe(0);
});

test('preview draws a sheet per image', async () => {
  const out = join(root, 'preview');
  const { code, out: text } = await run(
    'preview',
    clean,
    '--split',
    'train',
    '--preset',
    'level2',
    '--n',
    '2',
    '--draws',
    '1',
    '--out',
    out,
  );
  expect(code).toBe(0);
  expect(text.trim().split('\n')).toHaveLength(2);
  expect(readdirSync(out)).toEqual(['000000-level2.png', '000002-level2.png']);
  const sheet = readFileSync(join(out, '000000-level2.png'));
  expect(sheet.readUInt32BE(16)).toBeGreaterThan(800); // several panels wide
  expect(await run('preview', clean, '--split', 'train', '--preset', 'wild')).toMatchObject({
    code: 1,
    err: expect.stringContaining('level3'),
  });
});

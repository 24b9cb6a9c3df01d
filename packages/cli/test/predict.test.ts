import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stateDict, torchvisionProfile } from '@rcnn/checkpoint';
import { saveCheckpoint } from '@rcnn/checkpoint/node';
import { Random, useEngine } from '@rcnn/core';
import { maskRcnnSmall } from 'mask-rcnn';
import sharp from 'sharp';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { main } from '../src/main.ts';
import { imageFiles } from '../src/pictures/image-files.ts';

const directory = mkdtempSync(join(tmpdir(), 'rcnn-predict-'));
const weights = join(directory, 'small.safetensors');
const photos = join(directory, 'photos');

beforeAll(async () => {
  await useEngine('onnxruntime');
  mkdirSync(join(photos, 'more'), { recursive: true });
  for (const [name, side] of [
    ['000000000139.png', 90],
    ['b.jpg', 70],
    ['more/c.png', 60],
  ] as const) {
    // biome-ignore format: a table
    const pixels = Buffer.from(Uint8Array.from({ length: side * 100 * 3 }, (_, i) => (i * 31) % 256));
    await sharp(pixels, { raw: { width: 100, height: side, channels: 3 } }).toFile(join(photos, name));
  }
  const model = maskRcnnSmall({ numClasses: 4, random: new Random(3) });
  const profile = torchvisionProfile({
    source: 'a test',
    architecture: 'maskrcnn_small',
    numClasses: 4,
    input: { resize: { rule: 'torchvision', minSize: 96, maxSize: 128 } },
  });
  await saveCheckpoint(weights, { weights: (await stateDict(model)).values(), profile });
  model.dispose();
});

afterAll(() => rmSync(directory, { recursive: true, force: true }));
afterEach(() => void vi.restoreAllMocks());

async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const written = { out: '', err: '' };
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => ((written.out += String(text)), true));
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => ((written.err += String(text)), true));
  const code = await main(['predict', ...args, '--engine', 'onnxruntime']);
  vi.restoreAllMocks();
  return { code, ...written };
}

interface Result {
  image_id: number | string;
  category_id: number;
  bbox: number[];
  score: number;
  segmentation: { size: number[]; counts: string };
}

test('writes a COCO results list', async () => {
  const json = join(directory, 'out.json');
  const { code, err } = await run(photos, '--weights', weights, '--detections', '7', '--json', json);
  expect(code).toBe(0);
  expect(err).toContain('maskrcnn_small on onnxruntime, 2 images');
  const results = JSON.parse(readFileSync(json, 'utf8')) as Result[];
  expect([...new Set(results.map(({ image_id }) => image_id))]).toEqual([139, 'b']);
  expect(results.filter(({ image_id }) => image_id === 139)).toHaveLength(7);
  for (const { image_id, category_id, bbox, score, segmentation } of results) {
    const height = image_id === 139 ? 90 : 70;
    expect(category_id).toBeGreaterThanOrEqual(1);
    expect(category_id).toBeLessThan(4);
    expect(score).toBeGreaterThan(0.05);
    expect(segmentation.size).toEqual([height, 100]);
    expect(segmentation.counts).toMatch(/^[0-o]+$/);
    const [x, y, width, heightOfBox] = bbox as [number, number, number, number];
    expect(Math.min(x, y, width, heightOfBox)).toBeGreaterThanOrEqual(0);
    expect(x + width).toBeLessThanOrEqual(100.001);
    expect(y + heightOfBox).toBeLessThanOrEqual(height + 0.001);
  }
});

test('a list on stdout; nothing above the threshold is an empty list', async () => {
  const args = [join(photos, 'b.jpg'), '--weights', weights, '--score-threshold', '1', '--json', '-'];
  const { code, out } = await run(...args);
  expect(code).toBe(0);
  expect(JSON.parse(out)).toEqual([]);
});

test.each([
  [['--arch', 'maskrcnn_resnet18_fpn'], 'CHECKPOINT_MISMATCH'],
  [['--arch', 'yolo'], 'INVALID_ARGUMENT'],
  [['--num-classes', '9'], 'CHECKPOINT_MISMATCH'],
])('%o is refused: %s', async (args, code) => {
  const result = await run(join(photos, 'b.jpg'), '--weights', weights, ...args);
  expect(result.code).not.toBe(0);
  expect(result.err).toContain(`error ${code}`);
});

test('a missing image is named', async () => {
  const { code, err } = await run(join(photos, 'x.jpg'), '--weights', weights);
  expect(code).toBe(1);
  expect(err).toContain('error FILE_MISSING: predict');
  expect(err).toContain('x.jpg');
});

describe('which images', () => {
  const names = async (...inputs: string[]): Promise<string[]> => {
    const files = await imageFiles(
      'test',
      inputs.map((input) => join(photos, input)),
    );
    return files.map((file) => file.slice(photos.length + 1));
  };

  test('a folder, files, patterns; each once', async () => {
    expect(await names('.')).toEqual(['000000000139.png', 'b.jpg']);
    expect(await names('*.png')).toEqual(['000000000139.png']);
    expect(await names('**/*.png')).toEqual(['000000000139.png', 'more/c.png']);
    expect(await names('{b,c}.jpg')).toEqual(['b.jpg']);
    expect(await names('?.jpg', 'b.jpg')).toEqual(['b.jpg']);
    await expect(names('*.gif')).rejects.toThrow('no such image');
  });

  test('a name that looks like a pattern is a name first', async () => {
    copyFileSync(join(photos, 'b.jpg'), join(photos, 'more', '[1]*.jpg'));
    expect(await names('more/[1]*.jpg')).toEqual(['more/[1]*.jpg']);
  });

  test.skipIf(process.platform === 'win32')(
    'a pipe is refused, not waited for; in a folder it is named and costs itself',
    { meta: { whySkipped: 'needs a system other than Windows' } },
    async () => {
      const folder = mkdtempSync(join(directory, 'pipes-'));
      execFileSync('mkfifo', [join(folder, 'pipe.jpg')]);
      await expect(imageFiles('test', [join(folder, 'pipe.jpg')])).rejects.toThrow('neither a file nor a folder');
      mkdirSync(join(folder, 'folder.png'));
      symlinkSync('/dev/zero', join(folder, 'zero.webp'));
      copyFileSync(join(photos, 'b.jpg'), join(folder, 'ordinary.jpg'));
      const { code, err } = await run(folder, '--weights', weights);
      expect(code).toBe(1);
      expect(err.match(/error FILE_REFUSED: .*(?:folder\.png|pipe\.jpg|zero\.webp): this is not a file/g)).toHaveLength(
        3,
      );
      expect(err).toContain('3 of 4 images could not be used');
    },
  );
});

import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeShapes } from '@rcnn/coco-data/node';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { patchesArchitecture } from './support/patches-architecture.ts';
import { callWith } from './support/program.ts';

// Datasets as people have them, through the settings that every command has. What is learned of them does not matter
// here, so the model has one weight.
const root = mkdtempSync(join(tmpdir(), 'cli-cases-'));
const at = (name: string): string => join(root, name);
const QUICK = '--arch patches --preset quick --batch-size 2 --workers 0 --steps 1 --progress plain'.split(' ');
const call = (...args: string[]) => callWith({ architectures: [patchesArchitecture] }, ...args);

interface Coco {
  images: { id: number; file_name: string; width: number; height: number }[];
  annotations: { image_id: number }[];
}

beforeAll(async () => {
  await writeShapes(at('plain'), { splits: { train: 6 }, size: [48, 64], objects: [2, 3], tiny: 0 });
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** A copy of the data, changed. */
function variant(name: string, change: (coco: Coco) => void = () => undefined): string {
  cpSync(at('plain'), at(name), { recursive: true });
  const file = at(`${name}/annotations/instances_train.json`);
  const coco = JSON.parse(readFileSync(file, 'utf8')) as Coco;
  change(coco);
  writeFileSync(file, JSON.stringify(coco));
  return at(name);
}

async function train(name: string, ...args: string[]): Promise<{ code: number; err: string; log: string }> {
  const run = ['--out', at('runs'), '--name', name, '--engine', 'onnxruntime'];
  const { code, err } = await call('train', ...QUICK, ...run, ...args);
  return { code, err: err.match(/^error .*/gm)?.join('\n') ?? '', log: err };
}

describe('annotations apart from their images', () => {
  beforeAll(() => {
    variant('apart');
    mkdirSync(at('ann'));
    renameSync(at('apart/annotations/instances_train.json'), at('ann/train.json'));
    renameSync(at('apart/train'), at('pictures'));
  });

  test('train is told where they are, as the others are', async () => {
    const place = [at('ann/train.json'), '--images', at('pictures')];
    expect(await train('apart', ...place)).toMatchObject({ code: 0, err: '' });
    expect(await call('doctor', ...place)).toMatchObject({ code: 0 });
    expect(await call('visualize', ...place, '--limit', '1', '--out', at('drawn'))).toMatchObject({ code: 0 });
  });

  test('the same in a file of options, and with data to evaluate on', async () => {
    const options = { data: at('ann/train.json'), images: at('pictures') };
    writeFileSync(at('apart.yaml'), JSON.stringify(options));
    expect(await train('apart-yaml', '--config', at('apart.yaml'))).toMatchObject({ code: 0, err: '' });
  });

  test('YOLO’s file is data, and no file of options', async () => {
    const label = '0 0.2 0.2 0.5 0.2 0.5 0.6 0.2 0.6\n';
    mkdirSync(at('yolo/images/train'), { recursive: true });
    mkdirSync(at('yolo/labels/train'), { recursive: true });
    for (const name of readdirSync(at('pictures'))) {
      cpSync(at(`pictures/${name}`), at(`yolo/images/train/${name}`));
      writeFileSync(at(`yolo/labels/train/${name.replace(/\.\w+$/, '.txt')}`), label);
    }
    writeFileSync(at('mine.yaml'), `path: ${at('yolo')}\ntrain: images/train\nnames: [red]\n`);
    expect(await train('by-yaml', at('mine.yaml'))).toMatchObject({ code: 0, err: '' });
  });

  test('not told, it says with which option', async () => {
    const { code, err } = await train('apart-not', at('ann/train.json'));
    expect([code, err]).toEqual([1, expect.stringMatching(/IMAGE_MISSING.*6 of 6 .*\(--images\)/)]);
  });
});

describe('pictures without objects', () => {
  const images = (log: string): string => /^(\d+) images of \d+ classes/m.exec(log)![1]!;

  beforeAll(() => {
    variant('half', (coco) => (coco.annotations = coco.annotations.filter(({ image_id }) => image_id > 3)));
    variant('one', (coco) => (coco.annotations = coco.annotations.filter(({ image_id }) => image_id === 6)));
  });

  test('are left out, and it is said how to keep them', async () => {
    const { code, log } = await train('half', at('half'));
    expect([code, images(log)]).toEqual([0, '3']);
    expect(log).toMatch(/3 of 6 images have no objects.*\(--keep-empty\)/);
  });

  test('are trained on when asked, in batches of nothing else too', async () => {
    const { code, log } = await train('one', at('one'), '--keep-empty', '--batch-size', '1', '--steps', '6');
    expect([code, images(log)]).toEqual([0, '6']);
    expect(log).not.toMatch(/no objects to learn/);
  });

  test('--no-keep-empty turns off what a file turned on', async () => {
    writeFileSync(at('keep.yaml'), JSON.stringify({ data: at('half'), keepEmpty: true }));
    expect(images((await train('keep', '--config', at('keep.yaml'))).log)).toBe('6');
    expect(images((await train('keep-not', '--config', at('keep.yaml'), '--no-keep-empty')).log)).toBe('3');
  });
});

describe('one image that is cut short', () => {
  beforeAll(() => {
    const file = join(variant('cut'), 'train/000000.png');
    writeFileSync(file, readFileSync(file).subarray(0, 100));
  });

  test('stops a training, by name', async () => {
    const { code, err } = await train('cut-fail', at('cut'), '--batch-size', '6');
    expect([code, err]).toEqual([1, expect.stringMatching(/IMAGE_CORRUPT.*000000\.png/)]);
  });

  test('costs itself with --bad-samples skip, and is named', async () => {
    const { code, err, log } = await train(
      'cut',
      at('cut'),
      '--bad-samples',
      'skip',
      '--batch-size',
      '6',
      '--steps',
      '2',
    );
    expect([code, err]).toEqual([0, '']);
    expect(log.match(/warning: Left out image 1: .*000000\.png/g)).toHaveLength(1); // once, not in each epoch
  });

  test('the same for val, visualize and preview; --max-skip-rate 0 allows none', async () => {
    const weights = ['--weights', at('runs/cut'), '--engine', 'onnxruntime', '--split', 'train'];
    const skip = ['--bad-samples', 'skip'];
    const val = await call('val', at('cut'), ...weights, ...skip, '--no-losses');
    expect([val.code, val.err]).toEqual([0, expect.stringMatching(/left out image 1: .*000000\.png/)]);
    expect(val.out).toContain('5 images');
    for (const command of ['visualize', 'preview']) {
      const args = [command, at('cut'), '--split', 'train', '--limit', '3', '--out', at(`cut-${command}`)];
      expect(await call(...args)).toMatchObject({ code: 1, err: expect.stringContaining('IMAGE_CORRUPT') });
      const skipped = await call(...args, ...skip);
      expect([skipped.code, skipped.out.trim().split('\n').length]).toEqual([0, 2]);
      expect(await call(...args, ...skip, '--max-skip-rate', '0')).toMatchObject({ code: 1 });
    }
  });
});

test('photographs that are stored turned: train, val and predict apply it when told', async () => {
  const data = variant('turned', ({ images }) => {
    for (const image of images) Object.assign(image, { width: image.height, height: image.width });
  });
  const { images } = JSON.parse(readFileSync(join(data, 'annotations/instances_train.json'), 'utf8')) as Coco;
  for (const { file_name: name } of images) {
    const file = join(data, 'train', name);
    writeFileSync(file, await sharp(file).withMetadata({ orientation: 6 }).png().toBuffer());
  }
  // Annotations were drawn on what was shown; the boxes of this copy may hang over, which is another matter.
  const settings = ['--auto-orient', '--bad-samples', 'skip', '--max-skip-rate', '1'];
  const { code, err } = await train('turned', data, ...settings);
  expect([code, err]).toEqual([0, '']);
  const model = ['--weights', at('runs/turned'), '--engine', 'onnxruntime'];
  expect(await call('val', data, ...model, ...settings, '--no-losses')).toMatchObject({ code: 0 });
  expect(await call('predict', '--data', data, ...model, ...settings, '--no-save')).toMatchObject({ code: 0 });
});

test('a resumed run says that its data have changed', async () => {
  const data = variant('changing');
  expect((await train('changing', data)).code).toBe(0);
  const resume = ['train', '--resume', at('runs/changing'), '--steps', '2', '--engine', 'onnxruntime'];
  expect((await call(...resume)).err).not.toContain('have changed');
  const file = join(data, 'annotations/instances_train.json');
  const coco = JSON.parse(readFileSync(file, 'utf8')) as Coco;
  coco.annotations = coco.annotations.filter(({ image_id }) => image_id !== 1);
  writeFileSync(file, JSON.stringify(coco));
  const { code, err } = await call(...resume, '--steps', '3');
  expect(code).toBe(0);
  expect(err).toMatch(
    /^warning: The training data have changed since this run began: 6 images .* then, 5 images .* now\.$/m,
  );
});

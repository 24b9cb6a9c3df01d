import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeShapes } from '@rcnn/coco-data/node';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { main } from '../src/main.ts';

// What a newcomer does wrong, through the program itself. {…} in an argument stands for a folder made below.
const root = mkdtempSync(join(tmpdir(), 'cli-mistakes-'));
const at = (name: string): string => join(root, name);
const SMALL = '--preset quick --min-size 64 --max-size 64 --proposals 50 --batch-size 2 --workers 0 --steps 1'.split(
  ' ',
);

beforeAll(async () => {
  await writeShapes(at('data'), { splits: { train: 2, val: 2 }, size: [64, 64] });
  cpSync(at('data'), at('bare'), { recursive: true });
  for (const split of ['train', 'val']) {
    for (const name of readdirSync(at(`bare/${split}`))) rmSync(at(`bare/${split}/${name}`));
    rewrite('renamed', split, ({ categories }) => categories.forEach((category, i) => (category.name = `thing ${i}`)));
    rewrite('fewer', split, (file) => {
      file.categories = file.categories.slice(0, 2);
      file.annotations = file.annotations.filter(({ category_id }) => category_id <= 2);
    });
  }
  cpSync(at('data'), at('pages'), { recursive: true });
  cpSync(at('data'), at('small'), { recursive: true });
  const dot = await sharp({ create: { width: 2, height: 2, channels: 3, background: 'red' } })
    .png()
    .toBuffer();
  for (const name of readdirSync(at('data/train'))) {
    writeFileSync(at(`pages/train/${name}`), '<html>404</html>');
    writeFileSync(at(`small/train/${name}`), dot);
  }
  mkdirSync(at('empty'));
  mkdirSync(at('hub'));
  writeFileSync(at('hub/model.safetensors'), '');
  writeFileSync(at('options.yaml'), 'data: x\n');
  writeFileSync(at('typo.yaml'), 'data: x\nepocs: 3\n');
  const { code } = await call(
    'train',
    '{data}',
    ...SMALL,
    '--out',
    '{runs}',
    '--name',
    'run',
    '--engine',
    'onnxruntime',
  );
  if (code !== 0) throw new Error('the run that the mistakes are made with does not train');
});
afterAll(() => rmSync(root, { recursive: true }));

interface CocoFile {
  categories: { id: number; name: string }[];
  annotations: { category_id: number }[];
}

/** A copy of the data with other annotations. */
function rewrite(name: string, split: string, change: (file: CocoFile) => void): void {
  cpSync(at('data'), at(name), { recursive: true, force: false });
  const path = at(`${name}/annotations/instances_${split}.json`);
  const file = JSON.parse(readFileSync(path, 'utf8')) as CocoFile;
  change(file);
  writeFileSync(path, JSON.stringify(file));
}

async function call(...args: string[]): Promise<{ code: number; err: string }> {
  let err = '';
  const stdout = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  const stderr = vi.spyOn(process.stderr, 'write').mockImplementation((text) => (err += String(text)).length > 0);
  try {
    return { code: await main(args.map((arg) => arg.replaceAll(/\{([^}]*)\}/g, (_, name: string) => at(name)))), err };
  } finally {
    stdout.mockRestore();
    stderr.mockRestore();
  }
}

const RUN = ['--weights', '{runs/run}'];
const BEST = ['--weights', '{runs/run/checkpoints/best.safetensors}'];

describe('one clear error, no stack, another exit code than 0', () => {
  test.each<[string, string[], RegExp]>([
    ['a wrong folder', ['train', '{nowhere}'], /FILE_MISSING: .*nowhere: there is no such file or folder/],
    ['the same to measure on', ['val', '{nowhere}', ...RUN], /FILE_MISSING: .*nowhere/],
    ['the same to predict', ['predict', '{nowhere}', ...RUN], /FILE_MISSING: predict \(.*nowhere\): there is no such/],
    ['no annotations', ['train', '{empty}'], /DATASET_INVALID: .*no annotations were found.*expected annotations/],
    ['no images to predict on', ['predict', '{empty}', ...RUN], /the folder holds no image/],
    [
      'annotations whose images are elsewhere',
      ['train', '{bare}', ...SMALL, '--out', '{none}'],
      /IMAGE_MISSING: .*bare.train: images .* not in this folder; found 2 of 2 .*\.png.*mask-rcnn doctor/,
    ],
    [
      'pictures that are none',
      ['train', '{pages}', ...SMALL, '--out', '{none}'],
      /IMAGE_CORRUPT: .*pages.*\.png: this is no picture of a format that is read; found a web page,/,
    ],
    [
      'pictures of another size',
      ['train', '{small}', ...SMALL, '--out', '{none}'],
      /IMAGE_SIZE_MISMATCH: .*\.png .*another size than its record; found 2x2/,
    ],
    // Windows has no such device.
    [
      'a device for results',
      ['predict', '{data/val}', ...RUN, '--results', '/dev/zero'],
      /--results .*(?:a pipe or device|no such folder)/,
    ],
    ['options for data', ['train', '{options.yaml}'], /a file of options, not of data.*mask-rcnn train --config/],
    ['a typo in the options', ['train', '--config', '{typo.yaml}'], /2:\d+.*'epocs'; did you mean 'epochs'/],
    ['a folder for options', ['train', '--config', '{empty}'], /FILE_REFUSED: .*found a folder\. Name a file/],
    [
      'weights that are not there',
      ['predict', '{data/val}', '--weights', '{x.safetensors}'],
      /FILE_MISSING: .*x\.safe/,
    ],
    ['a folder without a checkpoint', ['val', '{data}', '--weights', '{runs}'], /no checkpoint; expected .*best\.saf/],
    [
      'weights below a file',
      ['val', '{data}', '--weights', '{typo.yaml/w.pth}'],
      /FILE_MISSING: .*there is no such file/,
    ],
    [
      'a wrong folder of images',
      ['val', '{data}', ...RUN, '--images', '{nowhere}'],
      /FILE_MISSING: .*no such folder of im/,
    ],
    ['a folder of weights of others', ['val', '{data}', '--weights', '{hub}'], /Name the file: '.*hub.model\.saf/],
    ['an image for weights', ['predict', '{data/val}', '--weights', '{options.yaml}'], /FILE_\w+: .*options\.yaml/],
    [
      'a checkpoint of another model',
      ['predict', '{data/val}', ...BEST, '--arch', 'maskrcnn_resnet18_fpn'],
      /another architecture; found maskrcnn_small, expected maskrcnn_resnet18_fpn/,
    ],
    [
      'training from one',
      ['train', '{data}', ...SMALL, ...BEST, '--arch', 'maskrcnn_resnet18_fpn', '--out', '{none}'],
      /another architecture; found maskrcnn_small, expected maskrcnn_resnet18_fpn/,
    ],
    [
      'going on with one',
      ['train', '--resume', '{runs/run}', '--arch', 'fasterrcnn_resnet18_fpn', '--max-size', '96'],
      /last\.safetensors: the run is of another architecture; found maskrcnn_small/,
    ],
    [
      'going on with data of fewer classes',
      ['train', '{fewer}', '--resume', '{runs/run}'],
      /the run is of other classes .* found 4 \(1 circle.*expected 2 \(1 circle, 2 square\)/,
    ],
    [
      'going on with data of other classes',
      ['train', '{renamed}', '--resume', '{runs/run}'],
      /found 4 \(1 circle.*expected 4 \(1 thing 0/,
    ],
    ['measuring on other classes', ['val', '{renamed}', ...RUN], /4 of 4 categories mean something else.*'circle'/],
    ['nothing to go on with', ['train', '--resume', '{runs}'], /no run to go on with; expected config\.yaml/],
    ['a file for a folder', ['train', '{data}', ...SMALL, '--out', '{typo.yaml}'], /FILE_EXISTS: .*typo\.yaml/],
    ['results into nowhere', ['predict', '{data/val}', ...RUN, '--results', '{no/x.json}'], /FILE_MISSING: --results/],
    ['the same for val', ['val', '{data}', ...RUN, '--results', '{no/x.json}'], /FILE_MISSING: --results/],
    // Such names a disk refuses; so does a folder without rights, which the tests of an administrator cannot have.
    [
      'numbers that could not be written, told before the work',
      ['evaluate', '--gt', '{x}', '--dt', '{x}', '--numbers', `{${'n'.repeat(230)}}`],
      /IO_FAILED: .*--numbers cannot be written/,
    ],
    [
      'plots below a file',
      ['evaluate', '--gt', '{x}', '--dt', '{x}', '--plots', '{typo.yaml/plots}'],
      /FILE_EXISTS: --plots .*typo\.yaml' is a file, and a folder is wanted/,
    ],
    ['pictures below a file', ['visualize', '{data}', '--out', '{typo.yaml}'], /FILE_EXISTS: --out .*is a file/],
    ['a run instead of pictures', ['visualize', '{runs/run}'], /this is a run.* visualize photos --weights .*run\./],
    [
      'a name of weights that is not whole',
      ['predict', '{data/val}', '--weights', 'maskrcnn_resnet50'],
      /neither a file nor a name.*Did you mean maskrcnn_resnet50_fpn\?/,
    ],
    ['an option of another tool', ['train', '{data}', '--max-steps', '2'], /\(mask-rcnn train --help tells more\)/],
    ['results into a folder', ['predict', '{data/val}', ...RUN, '--results', '{empty}'], /a folder; name a file/],
  ])('%s', async (_, args, message) => {
    const engine = args[0] === 'evaluate' ? [] : ['--engine', 'onnxruntime'];
    const { code, err } = await call(...args, ...(args[0] === 'train' ? ['--quiet'] : []), ...engine);
    expect(code).toBeGreaterThan(0);
    expect(err.match(/^error /gm)).toHaveLength(1);
    expect(err).toMatch(message);
    expect(err).not.toMatch(/^\s+at |not an error we expected/m);
    expect(err.length).toBeLessThan(1000);
    expect(readdirSync(root)).not.toContain('none');
  });

  test('a run that somebody else works on', async () => {
    cpSync(at('runs/run'), at('runs/held'), { recursive: true });
    writeFileSync(at('runs/held/run.lock'), JSON.stringify({ id: 'x', pid: 1, host: 'elsewhere', since: 'today' }));
    const { code, err } = await call('train', '--resume', '{runs/held}', '--quiet');
    expect(code).toBe(1);
    expect(err).toMatch(/^error LOCKED: .*run\.lock: another trainer .* process 1 on elsewhere.*take another folder/);
  });
});

test('val takes the validation split of several, and a run folder for its best checkpoint', async () => {
  expect(await call('val', '{data}', ...RUN, '--no-losses', '--engine', 'onnxruntime')).toMatchObject({ code: 0 });
});

test('inspect takes a run folder for its best checkpoint', async () => {
  const { code, err } = await call('inspect', '{runs/run}');
  expect(code).toBe(0);
  expect(err).toMatch(/best\.safetensors: safetensors, \d+ tensors/);
});

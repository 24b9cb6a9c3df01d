import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DATASET_SETTINGS } from '@rcnn/coco-data';
import { describe, expect, test } from 'vitest';
import { commands } from '../src/commands/index.ts';
import { createProgram } from '../src/main.ts';
import { addDatasetOptions, datasetSettings, openOptions } from '../src/options/dataset-options.ts';

const program = createProgram();
const optionsOf = (name: string): Set<string> => {
  const command = program.commands.find((entry) => entry.name() === name);
  return new Set(['--help', ...[program, command!].flatMap(({ options }) => options.map(({ long }) => long!))]);
};

/** The commands that open data; every one of them. */
const ON_DATA = ['train', 'val', 'predict', 'visualize', 'preview', 'evaluate', 'convert-data', 'doctor', 'merge'];

describe('the settings of a dataset', () => {
  const flags = Object.keys(DATASET_SETTINGS).map(
    (name) => `--${name.replaceAll(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)}`,
  );

  test.each(ON_DATA)('%s has all of them, with the same words', (name) => {
    expect([...optionsOf(name)]).toEqual(expect.arrayContaining(flags));
    const command = program.commands.find((entry) => entry.name() === name)!;
    const reference = addDatasetOptions(createProgram().createCommand('x'));
    for (const { long, description, argChoices, flags: spelt } of reference.options) {
      const own = command.options.find((option) => option.long === long)!;
      expect([own.flags, own.description, own.argChoices]).toEqual([spelt, description, argChoices]);
    }
  });

  test('no other command opens data', () => {
    const source = fileURLToPath(new URL('../src/commands', import.meta.url));
    const others = commands.map(({ name }) => name).filter((name) => !ON_DATA.includes(name));
    for (const name of others) {
      expect(readFileSync(join(source, `${name}.ts`), 'utf8')).not.toMatch(/openDataset|findSources|inspectDataset/);
    }
  });

  test('mean the same to the readers', async () => {
    const given = {
      images: 'pictures',
      format: 'auto',
      split: 'val',
      className: 'cat',
      zeroBased: true,
      autoOrient: false,
      badSamples: 'skip',
      maxSkipRate: '0.25',
      maxPixels: '1e8',
      keepEmpty: false,
      other: 'x',
    };
    expect(datasetSettings(given)).toMatchObject({ maxSkipRate: 0.25, maxPixels: 1e8, badSamples: 'skip' });
    expect(datasetSettings(given)).not.toHaveProperty('other');
    expect(await openOptions(given)).toEqual({
      images: 'pictures',
      split: 'val',
      maxPixels: 1e8,
      orientation: 'ignore',
      keepEmpty: false,
      policy: 'drop',
      maxSkipRate: 0.25,
      via: { className: 'cat' },
      voc: { oneBased: false },
    });
  });

  test.each([
    [{ maxSkipRate: '2' }, 'a number from 0 to 1'],
    [{ maxPixels: '0' }, 'a whole number from 1'],
    [{ maxPixels: '' }, 'a whole number from 1'],
  ])('%j is refused', (given, expected) => expect(() => datasetSettings(given)).toThrow(expected));
});

/** Commands that open weights, and with them print what checkpoints and exported models say. */
const ON_WEIGHTS = ['predict', 'val', 'visualize', 'serve', 'train', 'export'];

/** Those that open checkpoints, though they build no model of them. */
const ON_CHECKPOINTS = [...ON_WEIGHTS, 'convert', 'inspect', 'studio', 'replay', 'launch'];

/** Those that take addresses and published names: a replay reads its own run, and `launch` hands on to `train`. */
const DOWNLOADING = ON_CHECKPOINTS.filter((command) => command !== 'replay' && command !== 'launch');

/** Who can print what a package says: the commands that use it. */
const SPEAKERS: Readonly<Record<string, readonly string[]>> = {
  'coco-data': ON_DATA,
  'coco-eval': ['evaluate'],
  checkpoint: ON_CHECKPOINTS,
  distributed: ['predict', 'val'],
  'mask-rcnn': ON_WEIGHTS,
  models: ON_WEIGHTS,
  onnx: ON_WEIGHTS,
  serve: ['serve'],
  studio: ['train'], // it starts trainings, and its server exports
  'tfjs-tensorflow': ['setup'],
  train: ['train'],
};

/** What several commands have in common; an option that it names is an option of one of them. */
const SHARED = commands.map(({ name }) => name);

/** Options of other programs that hints tell people to run, the variables of a page's style, and options of models, which differ. */
const FOREIGN =
  /\b(?:npm|npx|pip|apt|brew|winget|pnpm|node|curl) [^'"`]*?--[a-z-]+(?: --?[a-z-]+)*|npm's --[a-z]+|:root \{[\s\S]*|'--no-'|--model\.[a-z-]+|var\(--[a-z-]+\)|srun --distribution=\w+/g;

describe('an option that a text names exists in the command that prints it', () => {
  const packages = fileURLToPath(new URL('../..', import.meta.url));
  const texts = readdirSync(packages).flatMap((name) => {
    const source = join(packages, name, 'src');
    const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
    // Former spellings are there to be told the new ones.
    return files
      .filter((file) => !file.endsWith('old-spellings.ts'))
      .flatMap((file) => textsOf(readFileSync(join(source, file), 'utf8')).map((text) => ({ name, file, text })));
  });
  const found = texts
    .map(({ text, ...place }) => ({ ...place, text: text.replaceAll(FOREIGN, '') }))
    .filter(({ text }) => OPTION.test(text));

  test('and so does every command that a text names', () => {
    const named = texts.flatMap(({ file, text }) =>
      [...text.matchAll(/\bmask-rcnn ([a-z][a-z-]*)/g)].map(([, command]) => ({ file, command: command! })),
    );
    expect(named.length).toBeGreaterThan(60);
    expect(named.filter(({ command }) => !SHARED.includes(command))).toEqual([]);
  });

  test('texts are found in every package that speaks of options', () => {
    const speaking = new Set(found.map(({ name }) => name));
    expect([...speaking].filter((name) => name !== 'cli' && SPEAKERS[name] === undefined)).toEqual([]);
    expect([...speaking]).toEqual(expect.arrayContaining(['cli', 'checkpoint', 'coco-data', 'onnx', 'serve', 'train']));
    expect(found.length).toBeGreaterThan(60);
  });

  test.each(found)('$name $file: $text', ({ name, file, text }) => {
    const called =
      /mask-rcnn (?:launch (?:--?[a-z-]+ \d+ )*)?([a-z][a-z-]*)/.exec(text)?.[1] ??
      /\b(predict|val) --/.exec(text)?.[1];
    const speaking = speakers(name, file);
    for (const [, option] of text.matchAll(new RegExp(OPTION, 'g'))) {
      const launched = text.includes('mask-rcnn launch ') ? optionsOf('launch') : [];
      if (called !== undefined) expect([...launched, ...optionsOf(called)], `${option} in ${called}`).toContain(option);
      else if (speaking === SHARED) expect(SHARED.flatMap((command) => [...optionsOf(command)])).toContain(option);
      else for (const command of speaking) expect(optionsOf(command), `${option} in ${command}`).toContain(option);
    }
  });
});

const OPTION = /(?<![\w-])(--[a-z][a-z0-9-]*)/;

/** The texts of a source; what is said in comments is for readers of the source. */
function textsOf(source: string): string[] {
  const pieces = /\/\*[\s\S]*?\*\/|\/\/[^\n]*|('(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\[\s\S])*`)/g;
  return [...source.matchAll(pieces)].flatMap(([, text]) => (text === undefined ? [] : [text]));
}

function speakers(name: string, file: string): readonly string[] {
  // Who trains together, and on what, is said by the training.
  if (file === 'members.ts' || file.startsWith('collectives')) return ['train'];
  if (name === 'studio' && file.startsWith('server')) return ['export'];
  if (name === 'checkpoint' && file === join('node', 'pretrained.ts')) return DOWNLOADING;
  if (name !== 'cli') return SPEAKERS[name] ?? [];
  const command = /^commands[\\/]([a-z-]+?)(?:-data)?\.ts$/.exec(file)?.[1];
  if (command === 'convert') return file.includes('convert-data') ? ['convert-data'] : ['convert'];
  // What is typed after `launch` goes to the training that it starts.
  if (command === 'launch') return SHARED;
  if (command !== undefined && command !== 'index') return [command];
  return file.startsWith('predict') ? ['predict'] : SHARED;
}

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

/** Who can print what a package says: the commands that use it. */
const SPEAKERS: Readonly<Record<string, readonly string[]>> = {
  'coco-data': ON_DATA,
  'coco-eval': ['evaluate'],
  train: ['train'],
  'tfjs-tensorflow': ['setup'],
};

/** Options of other programs that hints tell people to run. */
const FOREIGN = /\b(?:npm|npx|pip|apt|brew|winget|pnpm|node) [^'"`]*?--[a-z-]+(?: --?[a-z-]+)*/g;

describe('an option that a message names exists in the command that prints it', () => {
  const packages = fileURLToPath(new URL('../..', import.meta.url));
  const found = readdirSync(packages).flatMap((name) => {
    const source = join(packages, name, 'src');
    const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
    return files.flatMap((file) =>
      hintsOf(readFileSync(join(source, file), 'utf8')).map((hint) => ({ name, file, hint })),
    );
  });

  test('hints are found in every package that speaks of options', () => {
    expect(found.length).toBeGreaterThan(10);
  });

  test.each(found)('$name $file: $hint', ({ name, file, hint }) => {
    for (const [, option] of hint.replaceAll(FOREIGN, '').matchAll(/(?<![\w-])(--[a-z][a-z-]*)/g)) {
      const called = /mask-rcnn ([a-z-]+)/.exec(hint)?.[1];
      for (const command of called === undefined ? speakers(name, file) : [called]) {
        expect(optionsOf(command), `${option} in ${command}`).toContain(option);
      }
    }
  });
});

/** The texts after `hint:` that name an option. */
function hintsOf(source: string): string[] {
  return [...source.matchAll(/\bhint:?\s*(?:=\s*)?((?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|`(?:[^`\\]|\\.)*`|\s|\+)+)/g)]
    .map(([, text]) => text!.trim())
    .filter((text) => /(?<![\w-])--[a-z]/.test(text));
}

function speakers(name: string, file: string): readonly string[] {
  if (name !== 'cli') return SPEAKERS[name] ?? [];
  const command = /^commands[\\/]([a-z-]+?)(?:-data)?\.ts$/.exec(file)?.[1];
  if (command === 'convert') return file.includes('convert-data') ? ['convert-data'] : ['convert'];
  if (command !== undefined && command !== 'index') return [command];
  return file.startsWith('predict') || file.startsWith('models') ? ['predict'] : [];
}

import type { EngineReport } from '@rcnn/core';
import { RcnnError } from '@rcnn/core/errors';
import type { Command } from 'commander';
import type { CommandDefinition } from '../command.ts';
import { addDatasetOptions } from '../options/dataset-options.ts';
import { print, printJson } from '../output/print.ts';
import { type DoctorDataOptions, doctorData } from './doctor-data.ts';

interface Options {
  readonly engine?: string;
  readonly quick?: boolean;
  readonly json?: boolean;
}

/** Milliseconds for each of an engine's two speed figures. */
const BUDGET = 700;

/** Examines the engines of this machine, or a dataset. */
export const doctor: CommandDefinition = {
  name: 'doctor',
  summary: 'examine the engines of this machine, or a dataset',
  examples: [
    ['mask-rcnn doctor', 'the engines of this machine'],
    ['mask-rcnn doctor photos', 'everything that is wrong with a dataset'],
    ['mask-rcnn doctor photos --fix repaired', 'and a repaired copy'],
  ],
  configure(command: Command): void {
    command
      .argument('[data]', 'a dataset (folder or annotation file) to examine instead of the engines')
      .option('--engine <name>', 'examine this engine only')
      .option('--quick', 'measure no speed')
      .option('--json', 'print JSON')
      .option('--fix <folder>', 'write a repaired copy of the dataset, and the list of what was done')
      .option('--manifest <file>', 'SHA-256 of every image: checked when the file is there, else written')
      .option('--strict', 'fail on warnings too');
    addDatasetOptions(command).action(async (data: string | undefined, options: Options & DoctorDataOptions) =>
      data === undefined ? examineEngines(options) : doctorData(data, options),
    );
  },
};

async function examineEngines({ engine, quick = false, json = false }: Options): Promise<void> {
  const { engineNames, isEngineName } = await import('@rcnn/core');
  const { examine } = await import('../engines/examine.ts');
  const { automatic, engineTable } = await import('../engines/table.ts');
  if (engine !== undefined && !isEngineName(engine)) {
    throw new RcnnError('INVALID_ARGUMENT', {
      where: 'doctor --engine',
      problem: 'there is no such engine',
      found: `'${engine}'`,
      expected: engineNames.join(', '),
    });
  }
  const reports: EngineReport[] = [];
  // One after the other: together they would slow each other down.
  for (const name of engine === undefined ? engineNames : [engine]) {
    reports.push(await examine(name, quick ? 0 : BUDGET));
  }
  const works = reports.some(({ ability }) => ability === 'train' || ability === 'predict');
  if (!works) process.exitCode = 1;
  if (json) {
    printJson(reports);
    return;
  }
  print(...engineTable(reports).split('\n'));
  if (engine !== undefined) return;
  const choice = (task: 'train' | 'predict') => automatic(reports, task) ?? 'nothing';
  print('', `auto takes ${choice('train')} to train and ${choice('predict')} to predict.`);
  if (quick) return;
  print('Speeds: billions of multiplications and additions per second in a 3x3 convolution of 64 channels.');
}

import { RcnnError } from '@rcnn/core/errors';
import type { Command } from 'commander';
import type { CommandDefinition } from '../command.ts';
import { addDatasetOptions, type DatasetFlags, openOptions } from '../dataset-options.ts';

interface Options extends DatasetFlags {
  readonly preset: string;
  readonly n: string;
  readonly draws: string;
  readonly seed: string;
  readonly out: string;
}

/** `mask-rcnn preview DATA`: what augmentation does to the images and masks of a dataset, to look at. */
export const preview: CommandDefinition = {
  name: 'preview',
  summary: 'draw images of a dataset with their masks before and after augmentation',
  configure(command: Command): void {
    addDatasetOptions(
      command
        .argument('<data>', 'a dataset: folder or annotation file')
        .option('--preset <name>', 'hflip, lsj, multiscale, ssd, ssdlite, level1, level2, level3', 'level3')
        .option('--n <count>', 'how many images', '4')
        .option('--draws <count>', 'how often the whole pipeline is drawn', '4')
        .option('--seed <number>', 'of the draws', '0')
        .option('--out <folder>', 'where the sheets go', 'preview'),
    ).action(run);
  },
};

async function run(data: string, options: Options): Promise<void> {
  const { drawPreviews } = await import('../preview.ts');
  const files = await drawPreviews(data, options.out, {
    preset: options.preset,
    count: wholeNumber('n', options.n),
    draws: wholeNumber('draws', options.draws),
    seed: wholeNumber('seed', options.seed),
    open: openOptions(options),
  });
  for (const file of files) process.stdout.write(`${file}\n`);
}

function wholeNumber(option: string, text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 0) return value;
  throw new RcnnError('INVALID_ARGUMENT', {
    where: `preview --${option}`,
    problem: 'must be a whole number',
    found: `'${text}'`,
  });
}

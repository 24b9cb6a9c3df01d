import type { Command } from 'commander';
import type { CommandDefinition } from '../command.ts';
import { addDatasetOptions, type DatasetFlags, openOptions } from '../options/dataset-options.ts';
import { count, countOrNone } from '../options/flags.ts';
import { print } from '../output/print.ts';

interface Options extends DatasetFlags {
  readonly preset: string;
  readonly n: number;
  readonly draws: number;
  readonly seed: number;
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
        .option('--n <count>', 'how many images', count, 4)
        .option('--draws <count>', 'how often the whole pipeline is drawn', countOrNone, 4)
        .option('--seed <number>', 'of the draws', countOrNone, 0)
        .option('--out <folder>', 'where the sheets go', 'preview'),
    ).action(run);
  },
};

async function run(data: string, options: Options): Promise<void> {
  const { drawPreviews } = await import('../pictures/preview.ts');
  const files = await drawPreviews(data, options.out, {
    preset: options.preset,
    count: options.n,
    draws: options.draws,
    seed: options.seed,
    open: openOptions(options),
  });
  for (const file of files) print(file);
}

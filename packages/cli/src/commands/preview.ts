import type { Command } from 'commander';
import type { CommandDefinition } from '../command.ts';
import { addDatasetOptions, type DatasetFlags, datasetSettings, openOptions } from '../options/dataset-options.ts';
import { count, countOrNone } from '../options/flags.ts';
import { requireWritableFolder } from '../options/output-file.ts';
import { print } from '../output/print.ts';

interface Options extends DatasetFlags {
  readonly augment: string;
  readonly limit: number;
  readonly draws: number;
  readonly seed: number;
  readonly out: string;
}

/** `mask-rcnn preview DATA`: what augmentation does to the images and masks of a dataset, to look at. */
export const preview: CommandDefinition = {
  name: 'preview',
  summary: 'draw images of a dataset with their masks before and after augmentation',
  examples: [
    ['mask-rcnn preview photos --augment level2', 'what an augmentation does'],
    ['mask-rcnn preview photos --split train --limit 2 --draws 8', 'more draws of fewer images'],
  ],
  configure(command: Command): void {
    addDatasetOptions(
      command
        .argument('<data>', 'a dataset: folder or annotation file')
        .option(
          '--augment <name>',
          'augmentation preset: hflip, lsj, multiscale, ssd, ssdlite, level1, level2, level3',
          'level3',
        )
        .option('--limit <n>', 'at most so many images, spread over the dataset', count, 4)
        .option('--draws <count>', 'how often the whole pipeline is drawn', countOrNone, 4)
        .option('--seed <number>', 'of the draws', countOrNone, 0)
        .option(
          '--out <folder>',
          'where the sheets go; they replace those of an earlier run and no other file',
          'preview',
        ),
    ).action(run);
  },
};

async function run(data: string, options: Options): Promise<void> {
  requireWritableFolder('--out', options.out);
  const { drawPreviews } = await import('../pictures/preview.ts');
  const files = await drawPreviews(data, options.out, {
    preset: options.augment,
    count: options.limit,
    draws: options.draws,
    seed: options.seed,
    open: await openOptions(options),
    ...datasetSettings(options),
  });
  for (const file of files) print(file);
}

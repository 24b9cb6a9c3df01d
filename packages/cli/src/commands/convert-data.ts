import { type Command, Option } from 'commander';
import type { CommandDefinition } from '../command.ts';
import { addDatasetOptions, type DatasetFlags, openOptions } from '../options/dataset-options.ts';
import { print, printJson } from '../output/print.ts';

interface Options extends DatasetFlags {
  readonly imageFiles: 'copy' | 'link' | 'none';
  readonly json?: boolean;
}

/** `mask-rcnn convert-data DATA OUT`: any dataset in COCO's layout. */
export const convertData: CommandDefinition = {
  name: 'convert-data',
  summary: 'write a VOC, VIA or COCO dataset in COCO layout',
  examples: [
    ['mask-rcnn convert-data voc coco', 'Pascal VOC as COCO'],
    ['mask-rcnn convert-data photos copy --split val --image-files link', 'one split, without copying the images'],
  ],
  configure(command: Command): void {
    addDatasetOptions(
      command
        .argument('<data>', 'a dataset: folder or annotation file')
        .argument('<out>', 'a new folder; nothing is overwritten')
        .addOption(
          new Option('--image-files <how>', 'what happens to the images')
            .choices(['copy', 'link', 'none'])
            .default('copy'),
        )
        .option('--json', 'print JSON'),
    ).action(run);
  },
};

async function run(data: string, out: string, options: Options): Promise<void> {
  const { convertDataset } = await import('@rcnn/coco-data/node');
  const splits = await convertDataset(data, out, {
    ...(await openOptions(options)),
    imageFiles: options.imageFiles,
  });
  if (options.json) {
    printJson(splits);
    return;
  }
  for (const { split, format, annotations, images, objects, problems } of splits) {
    print(`${split}: ${images} images, ${objects} objects from ${format} to ${annotations}`);
    for (const { severity, count, title } of problems) {
      if (severity !== 'note') print(`  ${severity}: ${title} (${count})`);
    }
  }
}

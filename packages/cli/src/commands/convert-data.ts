import type { ProblemCount } from '@rcnn/coco-data';
import { counted, RcnnError } from '@rcnn/core/errors';
import { type Command, Option } from 'commander';
import type { CommandDefinition } from '../command.ts';
import { addDatasetOptions, type DatasetFlags, datasetSettings, openOptions } from '../options/dataset-options.ts';
import { requireWritableFolder } from '../options/output-file.ts';
import { print, printJson } from '../output/print.ts';

interface Options extends DatasetFlags {
  readonly imageFiles?: 'copy' | 'link' | 'none';
  readonly to: 'coco' | 'yolo' | 'labelme';
  readonly json?: boolean;
}

/** `mask-rcnn convert-data DATA OUT`: any dataset in COCO's layout, or as YOLO or labelme keep theirs. */
export const convertData: CommandDefinition = {
  name: 'convert-data',
  summary: 'write a dataset of any format as COCO, YOLO or labelme',
  examples: [
    ['mask-rcnn convert-data voc coco', 'Pascal VOC as COCO'],
    ['mask-rcnn convert-data coco yolo --to yolo', 'outlines for YOLO, with data.yaml'],
    ['mask-rcnn convert-data photos copy --split val --image-files link', 'one split, without copying the images'],
  ],
  configure(command: Command): void {
    addDatasetOptions(
      command
        .argument('<data>', 'a dataset: folder or annotation file')
        .argument('<out>', 'a new folder; nothing is overwritten')
        .addOption(
          new Option('--to <format>', 'how the copy is annotated').choices(['coco', 'yolo', 'labelme']).default('coco'),
        )
        .addOption(
          new Option(
            '--image-files <how>',
            'what happens to the images (default copy; those beside YOLO and labelme are always copied)',
          ).choices(['copy', 'link', 'none']),
        )
        .option('--json', 'print JSON'),
    ).action(run);
  },
};

async function run(data: string, out: string, options: Options): Promise<void> {
  requireWritableFolder('OUT', out);
  if (options.to !== 'coco') return exportTo(options.to, data, out, options);
  const { convertDataset } = await import('@rcnn/coco-data/node');
  const { imageFiles = 'copy' } = options;
  const { maxSkipRate } = datasetSettings(options);
  const splits = await convertDataset(data, out, { ...(await openOptions(options)), maxSkipRate, imageFiles });
  if (options.json) {
    printJson(splits);
    return;
  }
  for (const { split, format, annotations, images, objects, problems } of splits) {
    print(`${split}: ${counted(images, 'image')}, ${counted(objects, 'object')} from ${format} to ${annotations}`);
    printProblems(problems);
  }
}

async function exportTo(to: 'yolo' | 'labelme', data: string, out: string, options: Options): Promise<void> {
  if (options.imageFiles !== undefined && options.imageFiles !== 'copy')
    throw new RcnnError('INVALID_ARGUMENT', {
      where: 'mask-rcnn convert-data',
      place: 'imageFiles',
      problem: `--image-files ${options.imageFiles} is for COCO alone`,
      hint: `${to} finds annotations by the pictures beside them, which are copied.`,
    });
  const { exportDataset } = await import('@rcnn/coco-data/node');
  const { maxSkipRate } = datasetSettings(options);
  const splits = await exportDataset(data, out, to, { ...(await openOptions(options)), maxSkipRate });
  if (options.json) {
    printJson(splits);
    return;
  }
  for (const { split, images, objects, leftOut, problems } of splits) {
    print(`${split}: ${counted(images, 'image')}, ${counted(objects, 'object')} to ${out}`);
    if (leftOut > 0) print(`  warning: ${to} has no word for crowds (${leftOut} left out)`);
    printProblems(problems);
  }
}

/** What was left out, and what is odd in what is not; the doctor names each. */
function printProblems(problems: readonly ProblemCount[]): void {
  for (const { severity, count, title, examples } of problems) {
    const [example] = examples;
    const such = example === undefined ? '' : `, such as ${example.place}: ${example.found}`;
    if (severity !== 'note') print(`  ${severity}: ${title} (${count})${such}`);
  }
}

import { RcnnError } from '@rcnn/core/errors';
import { type Command, Option } from 'commander';
import type { CommandDefinition } from '../command.ts';
import { addDatasetOptions, type DatasetFlags, openOptions } from '../dataset-options.ts';

export interface VisualizeFlags extends DatasetFlags {
  readonly weights?: string;
  readonly arch?: string;
  readonly predictions?: string;
  readonly engine: string;
  readonly out: string;
  readonly limit: string;
  readonly scoreThreshold: string;
  readonly colorBy: 'class' | 'instance';
}

/** `mask-rcnn visualize WHAT`: the six panels of an instance-segmentation report, one PNG per image. */
export const visualize: CommandDefinition = {
  name: 'visualize',
  summary: 'draw boxes, masks and classes: six panels per image, of predictions or of the truth',
  configure(command: Command): void {
    command
      .argument('<what>', 'image, folder of images, or dataset')
      .option('--weights <file>', 'predict with this checkpoint, run folder, published name or URL')
      .option('--arch <name>', 'architecture, when the file does not say')
      .option('--predictions <file>', 'draw this list of COCO results instead of the truth')
      .option('--engine <name>', 'engine to predict on', 'auto')
      .option('--out <folder>', 'where the pictures go', 'visualized')
      .option('--limit <n>', 'at most so many images, spread over the dataset', '20')
      .option('--score-threshold <score>', 'leave detections below it out', '0.5')
      .addOption(
        new Option('--color-by <what>', 'one colour per class or per object')
          .choices(['class', 'instance'])
          .default('instance'),
      );
    addDatasetOptions(command).action(act);
  },
};

async function act(what: string, flags: VisualizeFlags): Promise<void> {
  const { drawAll, pictures } = await import('../train/draw.ts');
  const options = {
    out: flags.out,
    limit: toNumber('--limit', flags.limit),
    minScore: toNumber('--score-threshold', flags.scoreThreshold),
    colorBy: flags.colorBy,
  };
  const files = await drawAll(pictures(what, flags, openOptions(flags), options), options);
  for (const file of files) process.stdout.write(`${file}\n`);
}

function toNumber(flag: string, text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && value >= 0) return value;
  throw new RcnnError('INVALID_ARGUMENT', {
    where: `visualize ${flag}`,
    problem: 'not a number from 0',
    found: `'${text}'`,
  });
}

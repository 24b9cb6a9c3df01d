import { join } from 'node:path';
import { RcnnError } from '@rcnn/core/errors';
import { type Command, Option } from 'commander';
import type { CommandDefinition, ProgramOptions } from '../command.ts';
import type { ModelFlags } from '../models/load.ts';
import { addDatasetOptions, type DatasetFlags, datasetSettings, openOptions } from '../options/dataset-options.ts';
import { type EngineFlags, engineOption, threadsOption } from '../options/engine-options.ts';
import { count, fraction } from '../options/flags.ts';
import { addModelOptions } from '../options/model-options.ts';
import { requireWritableFolder } from '../options/output-file.ts';
import { print } from '../output/print.ts';
import type { Picture } from '../pictures/draw.ts';
import { imageFiles, imagesIn, statsOf } from '../pictures/image-files.ts';

interface Flags extends ModelFlags, DatasetFlags, EngineFlags {
  readonly predictions?: string;
  readonly out: string;
  readonly limit: number;
  readonly scoreThreshold: number; // always there: it has a default
  readonly colorBy: 'class' | 'instance';
}

/** `mask-rcnn visualize WHAT`: the six panels of an instance-segmentation report, one PNG per image. */
export const visualize: CommandDefinition = {
  name: 'visualize',
  summary: 'draw boxes, masks and classes: six panels per image, of predictions or of the truth',
  examples: [
    ['mask-rcnn visualize photos --limit 8', 'the truth of a dataset'],
    ['mask-rcnn visualize photo.jpg --weights runs/train', 'what a model finds'],
  ],
  configure(command: Command, program: ProgramOptions): void {
    command
      .argument('<what>', 'image, folder of images, pattern, or dataset')
      .option('--weights <file>', 'predict with this checkpoint, run folder, .onnx file, published name or URL')
      .option('--predictions <file>', 'draw this list of COCO results instead of the truth');
    addModelOptions(command)
      .addOption(engineOption())
      .addOption(threadsOption())
      .option(
        '--out <folder>',
        'where the pictures go; they replace those of an earlier run and no other file',
        'visualized',
      )
      .option('--limit <n>', 'at most so many images, spread over the folder or dataset', count, 20)
      .option('--score-threshold <score>', 'leave detections below it out', fraction, 0.5)
      .addOption(
        new Option('--color-by <what>', 'one colour per class or per object')
          .choices(['class', 'instance'])
          .default('instance'),
      );
    addDatasetOptions(command).action((what: string, flags: Flags) => act(what, flags, program));
  },
};

async function act(what: string, flags: Flags, program: ProgramOptions): Promise<void> {
  requireWritableFolder('--out', flags.out);
  await refuseRun(what);
  const files = await imagesOf(what);
  const drawn = await pictures(what, files, flags, program);
  const { drawAll } = await import('../pictures/draw.ts');
  for await (const file of drawAll(drawn, flags.out, flags.colorBy, files)) print(file);
}

/** Whoever names a run wants to see something of it: says what to write. */
async function refuseRun(what: string): Promise<void> {
  const { checkpointOf } = await import('mask-rcnn/node');
  if (checkpointOf(what) === undefined) return;
  throw new RcnnError('INVALID_ARGUMENT', {
    where: 'visualize',
    place: what,
    problem: 'this is a run, which has weights but no pictures to draw on',
    expected: 'images or a dataset',
    hint: `To see what its model finds: mask-rcnn visualize photos --weights ${what}. Its report is ${join(what, 'report.html')}.`,
  });
}

/** What the call asks for: predictions on image files, or something on a dataset. */
async function pictures(
  what: string,
  files: readonly string[] | undefined,
  flags: Flags,
  { architectures }: ProgramOptions,
): Promise<AsyncGenerator<Picture>> {
  const { limit, scoreThreshold: minScore, weights, engine, threads, predictions } = flags;
  if (files === undefined) {
    const { picturesOfDataset } = await import('../pictures/of-dataset.ts');
    const settings = datasetSettings(flags);
    return picturesOfDataset(what, await openOptions(flags), {
      limit,
      minScore,
      model: weights === undefined ? undefined : flags,
      architectures,
      engine: { engine, threads },
      predictions,
      ...settings,
    });
  }
  if (weights === undefined) {
    throw new RcnnError('INVALID_ARGUMENT', {
      where: 'visualize',
      place: '--weights',
      problem: 'plain images have no truth to draw',
      hint: 'Name a checkpoint with --weights, or a dataset instead of images.',
    });
  }
  const { picturesOfImages } = await import('../pictures/of-images.ts');
  const { readImage } = await import('@rcnn/coco-data/node');
  const { orientation, maxPixels } = await openOptions(flags);
  const read = (file: string) =>
    readImage(file, { ...(orientation && { orientation }), ...(maxPixels !== undefined && { maxPixels }) });
  const { spread } = await import('../pictures/spread.ts');
  const chosen = spread(files.length, limit).map((place) => files[place]!);
  return picturesOfImages(chosen, read, {
    model: flags,
    architectures,
    engine: { engine, threads },
    minScore,
  });
}

/** The image files that the argument names; undefined when it names a dataset. */
async function imagesOf(what: string): Promise<string[] | undefined> {
  const stats = statsOf(what);
  if (stats?.isFile() && /\.json$/i.test(what)) return undefined;
  if (!stats?.isDirectory()) return imageFiles('visualize', [what]);
  const { isDataset } = await import('../pictures/is-dataset.ts');
  if (await isDataset(what)) return undefined;
  const files = imagesIn(what);
  return files.length > 0 ? files : undefined;
}

import type { ClassEntry, ClassMap } from '@rcnn/coco-data';
import { RcnnError } from '@rcnn/core/errors';
import type { LoadedDetector } from '@rcnn/models';
import type { Command } from 'commander';
import type { CommandDefinition, ProgramOptions } from '../command.ts';
import type { ModelFlags } from '../models/load.ts';
import { addDatasetOptions, type DatasetFlags, datasetSettings, openOptions } from '../options/dataset-options.ts';
import { count, fraction, number } from '../options/flags.ts';
import { requireWritable } from '../options/output-file.ts';
import { note } from '../output/print.ts';
import type { Input } from '../predict/input.ts';
import type { PredictImagesOptions } from '../predict/predict-images.ts';
import type { Predictor } from '../predict/predictor.ts';
import type { VideoSource } from '../predict/video.ts';

interface Flags extends ModelFlags, DatasetFlags {
  readonly data?: string;
  readonly gt?: string;
  readonly maskThreshold: number;
  readonly engine: string;
  readonly slice?: number;
  readonly overlap: number;
  readonly limit?: number;
  readonly out: string;
  readonly save: boolean;
  readonly saveCrops?: boolean;
  readonly saveMasks?: boolean;
  readonly results?: string;
  readonly json?: boolean;
}

/** `mask-rcnn predict IMAGE…`: what a model finds in images and videos. */
export const predict: CommandDefinition = {
  name: 'predict',
  summary: 'find the objects in images and videos',
  examples: [
    ['mask-rcnn predict photo.jpg', 'what is in it, and runs/predict/photo.jpg'],
    ["mask-rcnn predict 'photos/**/*.jpg' --weights runs/train --json", 'objects as JSON lines'],
    ['mask-rcnn predict drive.mp4 --out annotated', 'a video, through ffmpeg'],
    [
      'mask-rcnn predict --data photos --results found.json --no-save',
      'for mask-rcnn evaluate --gt photos --dt found.json',
    ],
  ],
  configure(command: Command, program: ProgramOptions): void {
    command
      .argument('[images...]', 'images, folders, patterns, addresses, videos, webcam, or - for stdin')
      .option('--weights <file>', 'checkpoint, run folder, published name or URL (default: the newest run, else COCO)')
      .option('--arch <name>', 'architecture, when the file does not say')
      .option('--num-classes <n>', 'classes of the model, background included', count)
      .option('--min-size <pixels>', 'length of the short side that the model sees', count)
      .option('--max-size <pixels>', 'limit of the long side that the model sees', count)
      .option('--proposals <n>', 'proposals that are kept per image', count)
      .option('--detections <n>', 'objects per image at most', count)
      .option(
        '--score-threshold <score>',
        'leave detections below it out (default: 0.5 shown, 0.05 in results)',
        fraction,
      )
      .option('--mask-threshold <p>', 'a pixel is object above this probability', fraction, 0.5)
      .option('--slice <pixels>', 'look at slices of this side too: for small objects in large images', count)
      .option('--overlap <share>', 'of a slice with its neighbours', number({ from: 0, to: 0.9 }), 0.2)
      .option('--limit <n>', 'at most so many images, or frames of a video', count)
      .option('--engine <name>', 'engine to compute on', 'auto')
      .option('--offline', 'never use the network')
      .option('--out <folder>', 'where pictures go', 'runs/predict')
      .option('--no-save', 'write no annotated pictures')
      .option('--save-crops', 'write each object cut out, in a folder per class')
      .option('--save-masks', 'write each mask as a PNG')
      .option('--results <file>', 'write a COCO results list, and its lines as they come; - for stdout')
      .option('--json', 'print objects as JSON lines while it runs')
      .option('--data <path>', 'take image ids (and without images also these) from this dataset')
      .option('--gt <file>', 'the same, for an annotation file that results will be evaluated against');
    addDatasetOptions(command).action((images: readonly string[], flags: Flags) => run(images, flags, program));
  },
};

async function run(args: readonly string[], flags: Flags, { architectures }: ProgramOptions): Promise<void> {
  const data = flags.data ?? flags.gt;
  if (args.length === 0 && data === undefined) {
    throw new RcnnError('INVALID_ARGUMENT', {
      where: 'predict',
      problem: 'no image is named',
      expected: 'images, folders, patterns, addresses, videos, webcam, - or --data',
      hint: 'Write: mask-rcnn predict photo.jpg',
    });
  }
  requireWritable('--results', flags.results);
  const { camera, VIDEO_FILE, videoFile } = await import('../predict/video.ts');
  const { statsOf } = await import('../pictures/image-files.ts');
  const isVideo = (arg: string): boolean => VIDEO_FILE.test(arg) && statsOf(arg)?.isFile() === true;
  const videos = args.flatMap((arg) => (isVideo(arg) ? [videoFile(arg)] : (camera(arg) ?? [])));
  const images = args.filter((arg) => !isVideo(arg) && camera(arg) === undefined);
  // Before the engine starts: a wrong name should be told at once.
  const named = images.length > 0 ? await namedInputs(images, flags) : [];
  const { startEngine } = await import('../engines/use.ts');
  const { loadModel } = await import('../models/load.ts');
  const engine = await startEngine(flags.engine, 'predict');
  const loaded = await loadModel(flags, architectures);
  try {
    const { inputs, classes } = await withData(named, loaded, data, flags, videos.length === 0);
    note(`${loaded.architecture.name} on ${engine.name}, ${things(inputs.length, videos.length)}`);
    await predictAll(inputs.slice(0, flags.limit), videos, loaded, classes, flags);
  } finally {
    loaded.model.dispose();
  }
}

async function namedInputs(args: readonly string[], flags: Flags): Promise<readonly Input[]> {
  const { imageInputs } = await import('../predict/image-inputs.ts');
  return imageInputs(args, datasetSettings(flags));
}

/** The images under the ids of the dataset, where one is named, and the classes that labels stand for. */
async function withData(
  named: readonly Input[],
  loaded: LoadedDetector,
  data: string | undefined,
  flags: Flags,
  all: boolean,
): Promise<{ inputs: readonly Input[]; classes: ClassMap | undefined }> {
  const { ClassMap } = await import('@rcnn/coco-data');
  const { profile, model } = loaded;
  const own = profile?.classes && new ClassMap(profile.classes, profile.numClasses);
  if (data === undefined) {
    const { namedClasses } = await import('mask-rcnn');
    return { inputs: named, classes: own ?? guessed(namedClasses(loaded), model.spec.numClasses, ClassMap) };
  }
  const { openDataset } = await import('@rcnn/coco-data/node');
  const { datasetInputs, knownInputs } = await import('../predict/dataset-inputs.ts');
  const { validationOf } = await import('../models/validation-split.ts');
  const open = await validationOf(data, await openOptions(flags));
  const dataset = await openDataset(data, { ...open, ...(own && { classes: own }) });
  if (named.length > 0) return { inputs: knownInputs(named, dataset), classes: dataset.classes };
  return { inputs: all ? datasetInputs(dataset) : [], classes: dataset.classes };
}

/** Names that the file itself does not state; labels without one keep their number, so that nothing is left out. */
function guessed(known: readonly ClassEntry[], numClasses: number, Classes: typeof ClassMap): ClassMap | undefined {
  if (known.length === 0) return undefined;
  note(`the weights name no classes; ${numClasses} of them are taken for COCO's`);
  const names = new Map(known.map(({ label, name }) => [label, name]));
  const labels = Array.from({ length: numClasses - 1 }, (_, i) => i + 1);
  const entries = labels.map((label) => ({ label, categoryId: label, name: names.get(label) ?? `class ${label}` }));
  return new Classes(entries, numClasses);
}

async function predictAll(
  inputs: readonly Input[],
  videos: readonly VideoSource[],
  { model }: LoadedDetector,
  classes: ClassMap | undefined,
  flags: Flags,
): Promise<void> {
  const { Predictor: WithModel } = await import('../predict/predictor.ts');
  const { predictImages } = await import('../predict/predict-images.ts');
  const { ResultsFile } = await import('../predict/results-file.ts');
  const { maskThreshold, scoreThreshold, slice, overlap, out, save, limit } = flags;
  const predictor = new WithModel(model, { classes, maskThreshold, scoreThreshold, slice, overlap });
  const results = flags.results === undefined ? undefined : await ResultsFile.open(flags.results);
  const options = {
    out,
    save,
    results,
    crops: flags.saveCrops === true,
    masks: flags.saveMasks === true,
    json: flags.json === true,
    words: flags.results !== '-',
  };
  try {
    const bad = inputs.length > 0 ? await predictImages(inputs, predictor, options) : 0;
    if (videos.length > 0) await predictVideos(videos, predictor, { ...options, limit });
    if (bad > 0) process.exitCode = 1;
    await results?.end();
  } finally {
    await results?.close();
  }
}

async function predictVideos(
  videos: readonly VideoSource[],
  predictor: Predictor,
  options: PredictImagesOptions & { readonly limit: number | undefined },
): Promise<void> {
  const { predictVideo } = await import('../predict/predict-video.ts');
  const { NewNames } = await import('../output/new-names.ts');
  const { StopSignals } = await import('@rcnn/train');
  const signals = new StopSignals((signal) => note(`${signal}: ending the video; once more leaves at once.`));
  const shouldStop = (): boolean => signals.requested !== undefined;
  const newNames = new NewNames();
  try {
    for (const video of videos) await predictVideo(video, predictor, { ...options, newNames, shouldStop });
  } finally {
    signals.dispose();
  }
}

function things(images: number, videos: number): string {
  const count = (n: number, name: string): string => `${n} ${name}${n === 1 ? '' : 's'}`;
  const parts = [images > 0 ? count(images, 'image') : '', videos > 0 ? count(videos, 'video') : ''];
  return parts.filter((part) => part !== '').join(', ');
}

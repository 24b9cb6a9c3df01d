import { join } from 'node:path';
import type { ClassMap } from '@rcnn/coco-data';
import { counted, RcnnError } from '@rcnn/core/errors';
import { type Command, Option } from 'commander';
import type { CommandDefinition, ProgramOptions } from '../command.ts';
import type { ModelFlags, Predicting } from '../models/load.ts';
import { compileOption } from '../options/compile-option.ts';
import { addDatasetOptions, type DatasetFlags, datasetSettings, openOptions } from '../options/dataset-options.ts';
import { type EngineFlags, engineOption, threadsOption } from '../options/engine-options.ts';
import { count, fraction, number } from '../options/flags.ts';
import { addModelOptions } from '../options/model-options.ts';
import { requireFreeStdout, requireName, requireWritable, requireWritableFolder } from '../options/output-file.ts';
import { note } from '../output/print.ts';
import type { PredictImagesOptions } from '../predict/predict-images.ts';
import type { Predictor } from '../predict/predictor.ts';
import { isArchive, type Unit } from '../predict/unit.ts';
import type { VideoSource } from '../predict/video.ts';
import { addShardOptions, checkShardFlags, PARTS, type ShardFlags } from '../shards/flags.ts';

interface Flags extends ModelFlags, DatasetFlags, EngineFlags, ShardFlags {
  readonly list?: string;
  readonly data?: string;
  readonly gt?: string;
  readonly maskThreshold: number;
  readonly slice?: number;
  readonly overlap: number;
  readonly limit?: number;
  readonly out: string;
  readonly save?: boolean;
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
    ['mask-rcnn predict --list all.txt --shard 3/200', 'one of 200 parts of a list, for mask-rcnn merge'],
  ],
  configure(command: Command, program: ProgramOptions): void {
    command
      .argument('[images...]', 'images, folders, patterns, addresses, tar archives, videos, webcam, or - for stdin')
      .option('--list <file>', 'file with a name of an image or archive on each line; - for stdin')
      .option(
        '--weights <file>',
        'checkpoint, run folder, .onnx file, published name or URL (default: the newest run, else COCO)',
      );
    addModelOptions(command)
      .option(
        '--score-threshold <score>',
        'leave detections below it out (default: 0.5 shown, 0.05 in results)',
        fraction,
      )
      .option('--mask-threshold <p>', 'a pixel is object above this probability', fraction, 0.5)
      .option('--slice <pixels>', 'look at slices of this side too: for small objects in large images', count)
      .option('--overlap <share>', 'of a slice with its neighbours', number({ from: 0, to: 0.9 }), 0.2)
      .option('--limit <n>', 'at most so many images, or frames of a video', count)
      .addOption(engineOption())
      .addOption(threadsOption())
      .addOption(compileOption())
      .option(
        '--out <folder>',
        'where pictures go; they replace those of an earlier run and no other file',
        'runs/predict',
      )
      .addOption(new Option('--save', 'write annotated pictures').hideHelp())
      .option('--no-save', 'write no annotated pictures; so it is with --shard unless --save is given')
      .option('--save-crops', 'write each object cut out, in a folder per class')
      .option('--save-masks', 'write each mask as a PNG')
      .option('--results <file>', 'write a COCO results list, and its lines as they come; - for stdout')
      .option('--json', 'print objects as JSON lines while it runs')
      .option('--data <path>', 'take image ids (and without images also these) from this dataset')
      .option('--gt <file>', 'the same, for an annotation file that results will be evaluated against');
    addShardOptions(command);
    addDatasetOptions(command).action((images: readonly string[], flags: Flags) => run(images, flags, program));
  },
};

async function run(args: readonly string[], flags: Flags, { architectures }: ProgramOptions): Promise<void> {
  const data = flags.data ?? flags.gt;
  checkFlags(args, flags);
  requireWritable('--results', flags.results, { stdout: true });
  requireFreeStdout('--results', flags.results, flags.json);
  requireName('--out', flags.out);
  const { save = flags.shard === undefined, saveCrops = false, saveMasks = false } = flags;
  if (save || saveCrops || saveMasks) requireWritableFolder('--out', flags.out);
  if (saveCrops) requireWritableFolder('--out', join(flags.out, 'crops'));
  if (saveMasks) requireWritableFolder('--out', join(flags.out, 'masks'));
  const { camera, VIDEO_FILE, videoFile } = await import('../predict/video.ts');
  const { statsOf } = await import('../pictures/image-files.ts');
  const isVideo = (arg: string): boolean => VIDEO_FILE.test(arg) && statsOf(arg)?.isFile() === true;
  const videos = args.flatMap((arg) => (isVideo(arg) ? [videoFile(arg)] : (camera(arg) ?? [])));
  const images = args.filter((arg) => !isVideo(arg) && camera(arg) === undefined);
  // Before the engine starts: a wrong name should be told at once.
  const named = images.length > 0 || flags.list !== undefined ? await namedUnits(images, flags) : [];
  const { startEngine } = await import('../engines/use.ts');
  const { loadPredicting } = await import('../models/load.ts');
  const engine = await startEngine(flags, 'predict');
  const loaded = await loadPredicting(flags, architectures);
  try {
    const { units, classes } = await withData(named, loaded, data, flags, videos.length === 0);
    note(`${loaded.name} on ${engine.name}, ${things(units, videos.length)}`);
    const { Predictor: WithModel } = await import('../predict/predictor.ts');
    const { maskThreshold, scoreThreshold, slice, overlap } = flags;
    const skeleton = loaded.profile?.keypoints?.skeleton;
    const predictor = new WithModel(loaded.model, { classes, skeleton, maskThreshold, scoreThreshold, slice, overlap });
    if (flags.shard !== undefined) await predictPart(units, videos, loaded, predictor, engine.name, flags);
    else await predictAll(units, videos, predictor, flags);
  } finally {
    loaded.model.dispose();
  }
}

/** What contradicts itself is told before anything is loaded. */
function checkFlags(args: readonly string[], flags: Flags): void {
  const { list, data, gt, shard, results } = flags;
  if (args.length === 0 && list === undefined && data === undefined && gt === undefined) {
    throw new RcnnError('INVALID_ARGUMENT', {
      where: 'predict',
      problem: 'no image is named',
      expected: 'images, folders, patterns, addresses, videos, webcam, -, --list or --data',
      hint: 'Write: mask-rcnn predict photo.jpg',
    });
  }
  if (list === '-' && args.includes('-')) {
    throw new RcnnError('INVALID_ARGUMENT', {
      where: 'predict',
      problem: 'stdin cannot be an image and a list at once',
      hint: "Write the list to a file, or leave '-' out of the images.",
    });
  }
  checkShardFlags(flags);
  if (shard !== undefined && results !== undefined) {
    throw new RcnnError('INVALID_ARGUMENT', {
      where: '--results',
      problem: 'a shard has only a part of the results',
      hint: "Leave it out; 'mask-rcnn merge' writes the whole list.",
    });
  }
}

async function namedUnits(args: readonly string[], flags: Flags): Promise<readonly Unit[]> {
  const { imageUnits } = await import('../predict/image-inputs.ts');
  const { readList } = await import('../predict/list-file.ts');
  const listed = flags.list === undefined ? undefined : await readList(flags.list);
  return imageUnits(args, { ...datasetSettings(flags), listed, offline: flags.offline });
}

/** The images under the ids of the dataset, where one is named, and the classes that labels stand for. */
async function withData(
  named: readonly Unit[],
  loaded: Predicting,
  data: string | undefined,
  flags: Flags,
  all: boolean,
): Promise<{ units: readonly Unit[]; classes: ClassMap | undefined }> {
  const { knownClasses } = await import('../models/known-classes.ts');
  if (data === undefined) return { units: named, classes: knownClasses(loaded) };
  const own = loaded.profile?.classes && knownClasses(loaded);
  const { openFor } = await import('../models/open-for.ts');
  const { datasetUnits, knownUnits } = await import('../predict/dataset-inputs.ts');
  const { validationOf } = await import('../models/validation-split.ts');
  const open = await validationOf(data, await openOptions(flags));
  const dataset = await openFor(own, data, open);
  const units = named.length > 0 ? knownUnits(named, dataset) : all ? datasetUnits(dataset) : [];
  return { units, classes: dataset.classes };
}

async function predictAll(
  units: readonly Unit[],
  videos: readonly VideoSource[],
  predictor: Predictor,
  flags: Flags,
): Promise<void> {
  const { predictImages } = await import('../predict/predict-images.ts');
  const { ResultsFile } = await import('../predict/results-file.ts');
  const { OwnFiles } = await import('../output/own-files.ts');
  const results = flags.results === undefined ? undefined : await ResultsFile.open(flags.results);
  const own = new OwnFiles([...units, ...videos].map(({ name }) => name));
  const options = { ...outputOf(flags, true), own, limit: flags.limit, results, words: flags.results !== '-' };
  try {
    const badImages = units.length > 0 ? await predictImages(units, predictor, options) : 0;
    const badVideos = videos.length > 0 ? await predictVideos(videos, predictor, options) : 0;
    if (badImages + badVideos > 0) process.exitCode = 1;
    noteUncategorized(predictor);
    await results?.end();
  } finally {
    await results?.close();
  }
}

/** Results without the objects that no category stands for are shorter than what was found. */
function noteUncategorized({ uncategorized: { text } }: Predictor): void {
  if (text !== undefined) note(`warning: ${text}`);
}

function outputOf({ out, save, saveCrops, saveMasks, json }: Flags, pictures: boolean) {
  return { out, save: save ?? pictures, crops: saveCrops === true, masks: saveMasks === true, json: json === true };
}

/** One part of the list. That an image could not be used stands in the part, so it is no failure of the shard. */
async function predictPart(
  all: readonly Unit[],
  videos: readonly VideoSource[],
  { model, name }: Predicting,
  predictor: Predictor,
  engine: string,
  flags: Flags,
): Promise<void> {
  const { shardOf } = await import('@rcnn/distributed');
  const { listDigest, predictShard } = await import('../predict/predict-shard.ts');
  const { VERSION, withNulls } = await import('../shards/part.ts');
  const { runShard } = await import('../shards/shard-run.ts');
  const { weightsDigest } = await import('../shards/weights-digest.ts');
  const shard = shardOf(flags.shard!, process.env);
  if (videos.length > 0) throw notInParts('a video', 'Predict it by itself.');
  if (flags.limit !== undefined && all.some(isArchive)) throw notInParts('--limit with archives', 'Shorten the list.');
  const units = all.slice(0, flags.limit);
  const { minSize, maxSize, proposals, detections, numClasses, scoreThreshold, maskThreshold, slice, overlap } = flags;
  const { compile } = flags;
  const { autoOrient, maxPixels } = datasetSettings(flags);
  const run = {
    command: 'predict',
    architecture: name,
    weights: await weightsDigest(model, flags.weights),
    list: listDigest(units),
    engine,
    ...withNulls({
      minSize,
      maxSize,
      proposals,
      detections,
      numClasses,
      scoreThreshold,
      maskThreshold,
      slice,
      overlap,
    }),
    ...withNulls({ compile }),
    ...withNulls({ autoOrient, maxPixels }),
  };
  const header = { version: VERSION, shard, listed: units.length, run } as const;
  const folder = flags.parts ?? PARTS;
  await runShard({ folder, header, retryBad: flags.retryBad === true }, () =>
    predictShard(units, shard, predictor, outputOf(flags, false)),
  );
  noteUncategorized(predictor);
}

function notInParts(found: string, hint: string): RcnnError {
  return new RcnnError('INVALID_ARGUMENT', {
    where: '--shard',
    problem: 'this cannot be shared among processes',
    found,
    hint,
  });
}

/** @returns how many could not be used to their end */
async function predictVideos(
  videos: readonly VideoSource[],
  predictor: Predictor,
  options: PredictImagesOptions,
): Promise<number> {
  const { costsItself, tellFailure } = await import('../output/failures.ts');
  const { predictVideo } = await import('../predict/predict-video.ts');
  const { NewNames } = await import('../output/new-names.ts');
  const { StopSignals } = await import('@rcnn/train');
  const signals = new StopSignals((signal) => note(`${signal}: ending the video; once more leaves at once.`));
  const shouldStop = (): boolean => signals.requested !== undefined;
  const newNames = new NewNames();
  let bad = 0;
  try {
    for (const video of videos) {
      if (shouldStop()) break;
      const failure = await costsItself(() => predictVideo(video, predictor, { ...options, newNames, shouldStop }));
      if (failure === undefined) continue;
      bad++;
      tellFailure(video.name, failure);
    }
  } finally {
    signals.dispose();
  }
  if (bad > 0 && videos.length > 1) note(`${bad} of ${counted(videos.length, 'video')} could not be used.`);
  return bad;
}

function things(units: readonly Unit[], videos: number): string {
  const archives = units.filter(isArchive).length;
  const all = { image: units.length - archives, archive: archives, video: videos };
  return Object.entries(all)
    .flatMap(([name, count]) => (count > 0 ? [counted(count, name)] : []))
    .join(', ');
}

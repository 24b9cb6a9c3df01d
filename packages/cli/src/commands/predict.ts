import { basename, extname } from 'node:path';
import type { DownloadEvent } from '@rcnn/checkpoint/node';
import type { CocoResult } from '@rcnn/coco-data';
import type { Detection } from '@rcnn/core';
import { RcnnError } from '@rcnn/core/errors';
import type { Command } from 'commander';
import type { LoadedDetector } from 'mask-rcnn';
import type { CommandDefinition } from '../command.ts';
import { weightsFile } from '../models/weights-file.ts';
import { count, fraction } from '../options/flags.ts';
import { requireWritable } from '../options/output-file.ts';
import { jsonText, print, note as say } from '../output/print.ts';
import { imageFiles } from '../pictures/image-files.ts';

interface Options {
  readonly weights: string;
  readonly arch?: string;
  readonly numClasses?: number;
  readonly minSize?: number;
  readonly maxSize?: number;
  readonly rpnPostNmsTopN?: number;
  readonly detections?: number;
  readonly scoreThreshold?: number;
  readonly maskThreshold: number;
  readonly engine: string;
  readonly offline?: boolean;
  readonly json?: string;
}

/** `mask-rcnn predict IMAGE…`: what a model finds in images. */
export const predict: CommandDefinition = {
  name: 'predict',
  summary: 'find the objects in images',
  configure(command: Command): void {
    command
      .argument('<images...>', 'images, folders or patterns')
      .requiredOption('--weights <file>', 'checkpoint, run folder, published name or URL')
      .option('--arch <name>', "torchvision's name of the model; default what the weights say or look like")
      .option('--num-classes <n>', 'classes of the model, background included', count)
      .option('--min-size <pixels>', 'length of the short side that the model sees', count)
      .option('--max-size <pixels>', 'limit of the long side that the model sees', count)
      .option('--rpn-post-nms-top-n <n>', 'proposals per image', count)
      .option('--detections <n>', 'objects per image at most', count)
      .option('--score-threshold <p>', 'drop objects below this score (default: 0.05)', fraction)
      .option('--mask-threshold <p>', 'a pixel is object above this probability', fraction, 0.5)
      .option('--engine <name>', 'where to compute (see mask-rcnn doctor)', 'auto')
      .option('--offline', 'never use the network')
      .option('--json <file>', 'write a COCO results list; - for stdout')
      .action(run);
  },
};

async function run(inputs: readonly string[], options: Options): Promise<void> {
  const files = await imageFiles('predict', inputs);
  requireWritable('--json', options.json);
  const { startEngine } = await import('../engines/use.ts');
  const { ClassMap, cocoResults } = await import('@rcnn/coco-data');
  const { readImage } = await import('../pictures/read-image.ts');
  const engine = await startEngine(options.engine, 'predict');
  const { model, arch, profile } = await load(options);
  const classes = profile?.classes && new ClassMap(profile.classes, profile.numClasses);
  say(`${arch} on ${engine.name}, ${files.length} image${files.length === 1 ? '' : 's'}`);
  const results: (CocoResult & { readonly file_name: string })[] = [];
  try {
    for (const [i, file] of files.entries()) {
      const start = performance.now();
      const image = await readImage(file);
      const [found] = await model.detect([image], { maskThreshold: options.maskThreshold });
      results.push(
        ...cocoResults(found!, imageId(file), classes).map((result) => ({ ...result, file_name: basename(file) })),
      );
      const seconds = ((performance.now() - start) / 1000).toFixed(2);
      say(`${i + 1}/${files.length} ${file}: ${image.height}x${image.width}, ${summary(found!)}, ${seconds} s`);
    }
  } finally {
    model.dispose();
  }
  await writeResults(results, options.json);
}

async function load(options: Options): Promise<LoadedDetector> {
  const { loadDetector } = await import('mask-rcnn/node');
  const set = <K extends string, V>(key: K, value: V | undefined): Partial<Record<K, V>> =>
    value === undefined ? {} : ({ [key]: value } as Record<K, V>);
  const loaded = await loadDetector(weightsFile(options.weights), {
    ...set('arch', options.arch),
    ...set('numClasses', options.numClasses),
    ...set('minSize', options.minSize),
    ...set('maxSize', options.maxSize),
    ...set('rpnPostNmsTopNTest', options.rpnPostNmsTopN),
    ...set('boxDetectionsPerImg', options.detections),
    ...set('boxScoreThresh', options.scoreThreshold),
    ...set('offline', options.offline),
    onEvent: tell,
  });
  if (loaded.report.skipped.length === 0) return loaded;
  loaded.model.dispose();
  throw new RcnnError('CHECKPOINT_MISMATCH', {
    where: options.weights,
    place: loaded.report.skipped[0]!,
    problem: 'the weights are for another number of classes',
    expected: `${loaded.numClasses} classes`,
    hint: 'Leave --num-classes out: the file knows it.',
  });
}

/** What happens to weights that come from elsewhere: nobody should download 170 MB unawares. */
function tell(event: DownloadEvent): void {
  if (event.kind === 'begin') {
    const size = event.size === undefined ? '' : ` (${(event.size / 1e6).toFixed(1)} MB)`;
    say(`downloading ${event.url}${size} to ${event.path}`);
  } else if (event.kind === 'retry') say(`${event.reason}; trying again`);
  else if (event.kind === 'warning') say(`${event.path}: ${event.message}`);
}

/** COCO's files are named like their ids: `000000000139.jpg` is 139. Others are known by their name. */
function imageId(file: string): number | string {
  const stem = basename(file, extname(file));
  return /^\d{1,15}$/.test(stem) ? Number(stem) : stem;
}

function summary(found: readonly Detection[]): string {
  if (found.length === 0) return 'nothing found';
  return `${found.length} object${found.length === 1 ? '' : 's'}, best score ${found[0]!.score.toFixed(3)}`;
}

async function writeResults(results: readonly CocoResult[], target: string | undefined): Promise<void> {
  if (target === undefined) return;
  const lines = results.map((result) => jsonText(result, true));
  const list = ['[', ...lines.map((line, i) => (i < lines.length - 1 ? `${line},` : line)), ']'];
  if (target === '-') return print(...list);
  const { atomicWrite } = await import('@rcnn/checkpoint/node');
  await atomicWrite(target, `${list.join('\n')}\n`);
}

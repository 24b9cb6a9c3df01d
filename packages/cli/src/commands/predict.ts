import { readFile } from 'node:fs/promises';
import { basename, extname } from 'node:path';
import type { DownloadEvent } from '@rcnn/checkpoint/node';
import type { Detection } from '@rcnn/core';
import { RcnnError } from '@rcnn/core/errors';
import { type Command, InvalidArgumentError } from 'commander';
import type { LoadedDetector } from 'mask-rcnn';
import type { CommandDefinition } from '../command.ts';
import { imageFiles } from '../image-files.ts';
import { requireWritable } from '../output-file.ts';
import { weightsFile } from '../weights-file.ts';

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

/** One line of a COCO results list, and the file that it is about. */
interface CocoResult {
  readonly image_id: number | string;
  readonly category_id: number;
  /** `x, y, width, height` in pixels, unrounded. */
  readonly bbox: readonly [number, number, number, number];
  readonly score: number;
  readonly segmentation?: { readonly size: readonly [number, number]; readonly counts: string };
  readonly file_name: string;
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
      .option('--num-classes <n>', 'classes of the model, background included', integer)
      .option('--min-size <pixels>', 'length of the short side that the model sees', integer)
      .option('--max-size <pixels>', 'limit of the long side that the model sees', integer)
      .option('--rpn-post-nms-top-n <n>', 'proposals per image', integer)
      .option('--detections <n>', 'objects per image at most', integer)
      .option('--score-threshold <p>', 'drop objects below this score (default: 0.05)', share)
      .option('--mask-threshold <p>', 'a pixel is object above this probability', share, 0.5)
      .option('--engine <name>', 'where to compute (see mask-rcnn doctor)', 'auto')
      .option('--offline', 'never use the network')
      .option('--json <file>', 'write a COCO results list; - for stdout')
      .action(run);
  },
};

async function run(inputs: readonly string[], options: Options): Promise<void> {
  const files = imageFiles('predict', inputs);
  requireWritable('--json', options.json);
  const { startEngine } = await import('../engines/use.ts');
  const { decodeImage } = await import('@rcnn/coco-data/node');
  const engine = await startEngine(options.engine, 'predict');
  const { model, arch } = await load(options);
  say(`${arch} on ${engine.name}, ${files.length} image${files.length === 1 ? '' : 's'}`);
  const results: CocoResult[] = [];
  try {
    for (const [i, file] of files.entries()) {
      const start = performance.now();
      const image = await decodeImage(await read(file), { name: file });
      const [found] = await model.detect([image], { maskThreshold: options.maskThreshold });
      results.push(...found!.map((detection) => toCoco(file, detection)));
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

async function read(file: string): Promise<Uint8Array> {
  try {
    return await readFile(file);
  } catch (cause) {
    throw new RcnnError('IO_FAILED', { where: 'predict', place: file, problem: 'cannot be read', cause });
  }
}

function toCoco(file: string, { box: [x1, y1, x2, y2], label, score, mask }: Detection): CocoResult {
  return {
    image_id: imageId(file),
    category_id: label,
    bbox: [x1, y1, x2 - x1, y2 - y1],
    score,
    ...(mask === undefined ? {} : { segmentation: mask.rle() }),
    file_name: basename(file),
  };
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
  const lines = results.map((result) => JSON.stringify(result));
  const text = `[${lines.length > 0 ? `\n${lines.join(',\n')}\n` : ''}]\n`;
  if (target === '-') {
    process.stdout.write(text);
    return;
  }
  const { atomicWrite } = await import('@rcnn/checkpoint/node');
  await atomicWrite(target, text);
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

function integer(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('It must be a whole number from 1.');
  return value;
}

function share(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value >= 0 && value <= 1)) throw new InvalidArgumentError('It must be from 0 to 1.');
  return value;
}

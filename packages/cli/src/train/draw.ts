import { mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, extname, join } from 'node:path';
import { atomicWrite } from '@rcnn/checkpoint/node';
import type { Dataset } from '@rcnn/coco-data';
import { decodeImage, type OpenOptions, openDataset } from '@rcnn/coco-data/node';
import type { PixelImage } from '@rcnn/core';
import { RcnnError } from '@rcnn/core/errors';
import { Mask } from '@rcnn/masks';
import { type DrawnObject, drawnDetections, drawnTarget, drawSixPanels } from '@rcnn/visualize';
import { createCanvas, encodePng } from '@rcnn/visualize/node';
import type { VisualizeFlags } from '../commands/visualize.ts';
import { startEngine } from '../engines/use.ts';
import { openDetector, openModel } from './open-model.ts';

export interface DrawOptions {
  readonly out: string;
  readonly limit: number;
  readonly minScore: number;
  readonly colorBy: 'class' | 'instance';
}

/** One picture to make. */
export interface Picture {
  readonly name: string;
  readonly image: PixelImage;
  readonly objects: readonly DrawnObject[];
  readonly names: ReadonlyMap<number, string>;
}

/** Writes six panels per picture. @returns the files */
export async function drawAll(pictures: AsyncIterable<Picture>, { out, colorBy }: DrawOptions): Promise<string[]> {
  mkdirSync(out, { recursive: true });
  const files: string[] = [];
  for await (const { name, image, objects, names } of pictures) {
    const file = join(out, `${basename(name, extname(name))}.png`);
    await atomicWrite(file, encodePng(drawSixPanels(createCanvas, image, objects, { names, colorBy })));
    files.push(file);
  }
  return files;
}

/** What the call asks for: predictions on files, or predictions, a list of results or the truth on a dataset. */
export async function* pictures(
  what: string,
  flags: VisualizeFlags,
  open: OpenOptions,
  options: DrawOptions,
): AsyncGenerator<Picture> {
  const files = imageFiles(what);
  if (files.length > 0) yield* predicted(files.slice(0, options.limit), flags, options);
  else yield* ofDataset(what, flags, open, options);
}

const IMAGES = /\.(jpe?g|png|webp|tiff?|gif|avif)$/i;

/** The image itself, or those directly in a folder that has no annotations. */
function imageFiles(what: string): string[] {
  const info = statSync(what, { throwIfNoEntry: false });
  if (info === undefined)
    throw new RcnnError('FILE_MISSING', { where: what, problem: 'there is no such file or folder' });
  if (!info.isDirectory()) return IMAGES.test(what) ? [what] : [];
  const names = readdirSync(what);
  if (names.some((name) => name.endsWith('.json'))) return [];
  return names
    .filter((name) => IMAGES.test(name))
    .sort()
    .map((name) => join(what, name));
}

async function* predicted(
  files: readonly string[],
  flags: VisualizeFlags,
  { minScore }: DrawOptions,
): AsyncGenerator<Picture> {
  if (flags.weights === undefined) {
    throw new RcnnError('INVALID_ARGUMENT', {
      where: 'visualize',
      place: '--weights',
      problem: 'plain images have no truth to draw',
      hint: 'Name a checkpoint with --weights, or a dataset instead of images.',
    });
  }
  await startEngine(flags.engine, 'predict');
  const { model, classes } = await openDetector(flags.weights, flags.arch);
  const names = new Map((classes?.classes ?? []).map(({ label, name }) => [label, name]));
  for (const name of files) {
    const image = await decodeImage(readFileSync(name), { name, orientation: 'apply' });
    const [detections] = await model.detect([image]);
    yield { name, image, objects: drawnDetections(detections!, minScore), names };
  }
}

async function* ofDataset(
  path: string,
  flags: VisualizeFlags,
  open: OpenOptions,
  options: DrawOptions,
): AsyncGenerator<Picture> {
  if (flags.weights !== undefined) await startEngine(flags.engine, 'predict');
  const opened =
    flags.weights === undefined ? undefined : await openModel(flags.weights, flags.arch, { path, ...open });
  const dataset = opened?.dataset ?? (await openDataset(path, open));
  const results = flags.predictions === undefined ? undefined : readResults(flags.predictions, dataset);
  const names = new Map(dataset.classes.classes.map(({ label, name }) => [label, name]));
  const count = Math.min(options.limit, dataset.length);
  for (let i = 0; i < count; i++) {
    const index = Math.floor((i * dataset.length) / count);
    const { image: record, target } = dataset.sample(index);
    const image = await dataset.store.load(record);
    const [detections] = (await opened?.model.detect([image])) ?? [];
    const objects =
      detections !== undefined
        ? drawnDetections(detections, options.minScore)
        : results !== undefined
          ? (results.get(record.id) ?? []).filter(({ score = 1 }) => score >= options.minScore)
          : drawnTarget(target);
    yield { name: record.file, image, objects, names };
  }
}

interface Result {
  readonly image_id: number;
  readonly category_id: number;
  readonly bbox: readonly [number, number, number, number];
  readonly score: number;
  readonly segmentation?: { readonly size: readonly [number, number]; readonly counts: string };
}

/** A list of COCO results by image. */
function readResults(file: string, { classes }: Dataset): Map<number | string, DrawnObject[]> {
  const byImage = new Map<number | string, DrawnObject[]>();
  for (const {
    image_id,
    category_id,
    bbox: [x, y, w, h],
    score,
    segmentation,
  } of JSON.parse(readFileSync(file, 'utf8')) as Result[]) {
    const label = classes.labelOf(category_id) ?? 0;
    const object: DrawnObject = {
      box: [x, y, x + w, y + h],
      label,
      score,
      ...(segmentation && {
        mask: Mask.fromRLE({ size: [segmentation.size[0], segmentation.size[1]], counts: segmentation.counts }),
      }),
    };
    byImage.set(image_id, [...(byImage.get(image_id) ?? []), object]);
  }
  return byImage;
}

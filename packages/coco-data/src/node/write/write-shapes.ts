import { writeFile } from 'node:fs/promises';
import type { PixelImage } from '@rcnn/core';
import { OutputFolder, writeError } from '@rcnn/files';
import sharp from 'sharp';
import { cocoOf } from '../../formats/coco/write-coco.ts';
import { pictureName, shapesAnnotations } from '../../formats/shapes/dataset.ts';
import { drawShapes, type ShapesOptions } from '../../formats/shapes/draw.ts';
import { drawFigures, type FiguresOptions } from '../../formats/shapes/draw-figures.ts';
import { figuresAnnotations } from '../../formats/shapes/figures-dataset.ts';
import type { AnnotationSet } from '../../records.ts';

interface WriteOptions {
  /** Pictures per split. Default 500 to train on and 100 to validate. */
  readonly splits?: Readonly<Record<string, number>>;
  /** Default 0. */
  readonly seed?: number;
  /** Default `png`. JPEG has quality 95. */
  readonly format?: 'png' | 'jpg';
}

export interface WriteShapesOptions extends ShapesOptions, WriteOptions {}

export interface WriteFiguresOptions extends FiguresOptions, WriteOptions {}

/**
 * Writes the generated dataset in COCO's layout: `annotations/instances_<split>.json` and `<split>/000000.png` ….
 * The same options give the same files. No picture is in two splits.
 * @throws FILE_EXISTS when the folder has annotations already
 */
export async function writeShapes(folder: string, options: WriteShapesOptions = {}): Promise<void> {
  const { seed = 0 } = options;
  await writeGenerated(folder, options, {
    prefix: 'instances',
    draw: (number) => drawShapes(seed, number, options).image,
    annotate: (first, count, file) => shapesAnnotations(count, { ...options, first }, file),
  });
}

/**
 * Writes stick figures with COCO's 17 key points, as {@link writeShapes} writes shapes: the annotations are
 * `annotations/person_keypoints_<split>.json`.
 * @throws FILE_EXISTS when the folder has annotations already
 */
export async function writeFigures(folder: string, options: WriteFiguresOptions = {}): Promise<void> {
  const { seed = 0 } = options;
  await writeGenerated(folder, options, {
    prefix: 'person_keypoints',
    draw: (number) => drawFigures(seed, number, options).image,
    annotate: (first, count, file) => figuresAnnotations(count, { ...options, first }, file),
  });
}

/** What a set is drawn by. */
interface Generator {
  /** Of the annotation files' names. */
  readonly prefix: string;
  draw(number: number): PixelImage;
  annotate(first: number, count: number, file: string): AnnotationSet;
}

async function writeGenerated(
  folder: string,
  { splits = { train: 500, val: 100 }, format = 'png' }: WriteOptions,
  { prefix, draw, annotate }: Generator,
): Promise<void> {
  let first = 0;
  const output = await OutputFolder.open(folder);
  for (const [name, count] of Object.entries(splits)) {
    const split = output.takeFolder(name);
    for (let number = first; number < first + count; number++) {
      const image = draw(number);
      const raw = { width: image.width, height: image.height, channels: 3 as const };
      const encoder = sharp(image.data, { raw });
      const encoded = format === 'png' ? encoder.png() : encoder.jpeg({ quality: 95, chromaSubsampling: '4:4:4' });
      await writeNew(await output.file(`${split}/${pictureName(number, format)}`), await encoded.toBuffer());
    }
    const file = await output.file(`annotations/${prefix}_${split}.json`);
    const set = annotate(first, count, file);
    const images = set.images.map((image, i) => ({ ...image, file: pictureName(first + i, format) }));
    const text = JSON.stringify(cocoOf({ ...set, images }));
    await writeNew(file, text);
    first += count;
  }
}

async function writeNew(file: string, content: string | Uint8Array): Promise<void> {
  await writeFile(file, content, { flag: 'wx' }).catch((cause: unknown) => {
    throw writeError(file, cause);
  });
}

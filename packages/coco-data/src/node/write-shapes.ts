import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { RcnnError } from '@rcnn/core/errors';
import sharp from 'sharp';
import { cocoOf } from '../coco/write-coco.ts';
import { pictureName, shapesAnnotations } from '../shapes/dataset.ts';
import { drawShapes, type ShapesOptions } from '../shapes/draw.ts';

export interface WriteShapesOptions extends ShapesOptions {
  /** Pictures per split. Default 500 to train on and 100 to validate. */
  readonly splits?: Readonly<Record<string, number>>;
  /** Default 0. */
  readonly seed?: number;
  /** Default `png`. JPEG has quality 95. */
  readonly format?: 'png' | 'jpg';
}

/**
 * Writes the generated dataset in COCO's layout: `annotations/instances_<split>.json` and `<split>/000000.png` ….
 * The same options give the same files. No picture is in two splits.
 * @throws FILE_EXISTS when the folder has annotations already
 */
export async function writeShapes(folder: string, options: WriteShapesOptions = {}): Promise<void> {
  const { splits = { train: 500, val: 100 }, format = 'png', seed = 0 } = options;
  let first = 0;
  await mkdir(join(folder, 'annotations'), { recursive: true });
  for (const [split, count] of Object.entries(splits)) {
    await mkdir(join(folder, split), { recursive: true });
    for (let number = first; number < first + count; number++) {
      const { image } = drawShapes(seed, number, options);
      const raw = { width: image.width, height: image.height, channels: 3 as const };
      const encoder = sharp(image.data, { raw });
      const encoded = format === 'png' ? encoder.png() : encoder.jpeg({ quality: 95, chromaSubsampling: '4:4:4' });
      await writeFile(join(folder, split, pictureName(number, format)), await encoded.toBuffer());
    }
    const file = join(folder, 'annotations', `instances_${split}.json`);
    const set = shapesAnnotations(count, { ...options, first }, file);
    const images = set.images.map((image, i) => ({ ...image, file: pictureName(first + i, format) }));
    const text = JSON.stringify(cocoOf({ ...set, images }));
    await writeFile(file, text, { flag: 'wx' }).catch((cause: NodeJS.ErrnoException) => {
      if (cause.code !== 'EEXIST') throw cause;
      throw new RcnnError('FILE_EXISTS', {
        where: file,
        problem: 'the file exists already',
        hint: 'Choose a new folder.',
        cause,
      });
    });
    first += count;
  }
}

import type { PixelImage } from '@rcnn/core';
import { RcnnError } from '@rcnn/core/errors';
import { Dataset, type DatasetOptions } from '../../dataset.ts';
import { Problems } from '../../doctor/problems.ts';
import type { ImageStore } from '../../images/image-store.ts';
import type { AnnotationRecord, AnnotationSet, ImageRecord } from '../../records.ts';
import { drawShapes, SHAPES, type ShapesOptions } from './draw.ts';

export interface ShapesDatasetOptions extends ShapesOptions {
  /** Default 0. */
  readonly seed?: number;
  /** Number of the first picture: train on 0 … 499 and validate on 500 … 599 of one seed. Default 0. */
  readonly first?: number;
}

/** A generated dataset that lives in memory, pixels drawn when asked for: for demos, tests and browsers. */
export function shapesDataset(count: number, options: ShapesDatasetOptions & DatasetOptions = {}): Dataset {
  const problems = new Problems();
  const set = shapesAnnotations(count, options, 'shapes');
  return Dataset.from(set, shapesStore(options), problems, { name: 'shapes', ...options });
}

/** The annotations of `count` pictures, as any reader would give them. Covered objects have run lengths, others outlines. */
export function shapesAnnotations(count: number, options: ShapesDatasetOptions, source: string): AnnotationSet {
  const { seed = 0, first = 0, size = [128, 128] } = options;
  const images: ImageRecord[] = [];
  const annotations: AnnotationRecord[] = [];
  for (let i = 0; i < count; i++) {
    const number = first + i;
    const id = number + 1;
    images.push({ id, file: pictureName(number), size, place: `/images/${i}` });
    for (const { shape, mask, outline, covered } of drawShapes(seed, number, options).shapes) {
      annotations.push({
        id: annotations.length + 1,
        imageId: id,
        categoryId: SHAPES.indexOf(shape) + 1,
        box: mask.box,
        segmentation: covered ? { kind: 'runs', runs: mask.runLengths() } : { kind: 'polygons', parts: [outline] },
        crowd: false,
        area: mask.area,
        place: `/annotations/${annotations.length}`,
      });
    }
  }
  return { source, images, annotations, categories: SHAPES.map((name, i) => ({ id: i + 1, name })) };
}

/** File name of a picture, without its folder: `000042.png`. */
export function pictureName(number: number, format = 'png'): string {
  return `${String(number).padStart(6, '0')}.${format}`;
}

function shapesStore(options: ShapesDatasetOptions): ImageStore {
  return {
    // oxlint-disable-next-line typescript/require-await -- a store may have to wait; this one need not
    async load({ file }): Promise<PixelImage> {
      const number = Number.parseInt(file, 10);
      if (Number.isInteger(number)) return drawShapes(options.seed ?? 0, number, options).image;
      throw new RcnnError('IMAGE_MISSING', { where: 'shapes', place: file, problem: 'there is no such picture' });
    },
  };
}

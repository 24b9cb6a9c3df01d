import type { PixelImage } from '@rcnn/core';
import { RcnnError } from '@rcnn/core/errors';
import { Dataset, type DatasetOptions } from '../../dataset.ts';
import { Problems } from '../../doctor/problems.ts';
import type { ImageStore } from '../../images/image-store.ts';
import type { AnnotationRecord, AnnotationSet, Category, ImageRecord } from '../../records.ts';
import { pictureName } from './dataset.ts';
import { drawFigures, type FiguresOptions } from './draw-figures.ts';
import { PERSON_KEYPOINTS, PERSON_SKELETON } from './figure.ts';

interface FiguresDatasetOptions extends FiguresOptions {
  /** Default 0. */
  readonly seed?: number;
  /** Number of the first picture. Default 0. */
  readonly first?: number;
}

/** As in COCO's files of key points. */
const PERSON: Category = { id: 1, name: 'person', keypoints: PERSON_KEYPOINTS, skeleton: PERSON_SKELETON };

/** A generated dataset of stick figures with COCO's 17 key points, in memory: for demos and tests. */
export function figuresDataset(count: number, options: FiguresDatasetOptions & DatasetOptions = {}): Dataset {
  const problems = new Problems();
  const set = figuresAnnotations(count, options, 'figures');
  return Dataset.from(set, figuresStore(options), problems, { name: 'figures', ...options });
}

/** The annotations of `count` pictures, as any reader would give them. */
export function figuresAnnotations(count: number, options: FiguresDatasetOptions, source: string): AnnotationSet {
  const { seed = 0, first = 0, size = [128, 128] } = options;
  const images: ImageRecord[] = [];
  const annotations: AnnotationRecord[] = [];
  for (let i = 0; i < count; i++) {
    const id = first + i + 1;
    images.push({ id, file: pictureName(first + i), size, place: `/images/${i}` });
    for (const { mask, keypoints } of drawFigures(seed, first + i, options).figures) {
      annotations.push({
        id: annotations.length + 1,
        imageId: id,
        categoryId: PERSON.id,
        box: mask.box,
        segmentation: { kind: 'runs', runs: mask.runLengths() },
        crowd: false,
        area: mask.area,
        keypoints,
        place: `/annotations/${annotations.length}`,
      });
    }
  }
  return { source, images, annotations, categories: [PERSON] };
}

function figuresStore(options: FiguresDatasetOptions): ImageStore {
  return {
    // oxlint-disable-next-line typescript/require-await -- a store may have to wait; this one need not
    async load({ file }): Promise<PixelImage> {
      const number = Number.parseInt(file, 10);
      if (Number.isInteger(number)) return drawFigures(options.seed ?? 0, number, options).image;
      throw new RcnnError('IMAGE_MISSING', { where: 'figures', place: file, problem: 'there is no such picture' });
    },
  };
}

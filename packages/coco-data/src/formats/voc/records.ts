import type { PixelImage } from '@rcnn/core';
import type { Problems } from '../../doctor/problems.ts';
import type { AnnotationRecord, AnnotationSet, Category, ImageRecord } from '../../records.ts';
import { boxAround, polygonArea } from '../outline.ts';
import { instancesOf, matchInstances } from './instances.ts';
import type { VocFile } from './parse-xml.ts';

/** The 20 classes of Pascal VOC, in the order of their ids from 1. */
export const VOC_CLASSES: readonly string[] = [
  'aeroplane',
  'bicycle',
  'bird',
  'boat',
  'bottle',
  'bus',
  'car',
  'cat',
  'chair',
  'cow',
  'diningtable',
  'dog',
  'horse',
  'motorbike',
  'person',
  'pottedplant',
  'sheep',
  'sofa',
  'train',
  'tvmonitor',
];

export interface VocOptions {
  /**
   * Whether pixels are counted from 1 and the last one belongs to the box, as in Pascal VOC itself: `xmin - 1, ymin - 1,
   * xmax, ymax`. False for tools that write corners from 0. Default true.
   */
  readonly oneBased?: boolean;
  /** Objects marked difficult: `keep` (the default; the mark stays on the record) or `drop`. */
  readonly difficult?: 'keep' | 'drop';
}

/** One image of a VOC dataset, as read. */
export interface VocEntry {
  /** Name without ending: the image's id. */
  readonly stem: string;
  /** Path of the image below the image folder. */
  readonly image: string;
  /** Path of the XML, named in problems. */
  readonly place: string;
  readonly file: VocFile;
  /** The XML states no size that can be used. */
  readonly isSizeOfFile?: boolean;
  /** The SegmentationObject image, where there is one. */
  readonly instances?: PixelImage;
}

/** Puts VOC files together into one set. */
export function vocRecords(
  source: string,
  entries: readonly VocEntry[],
  problems: Problems,
  { oneBased = true, difficult = 'keep' }: VocOptions = {},
): AnnotationSet {
  const categories = categoriesOf(entries);
  const idOf = new Map(categories.map(({ id, name }) => [name, id]));
  const images: ImageRecord[] = [];
  const annotations: AnnotationRecord[] = [];
  const shift = oneBased ? 1 : 0;
  for (const { stem, image, place, file, instances, isSizeOfFile } of entries) {
    images.push({ id: stem, file: image, size: file.size, ...(isSizeOfFile && { sizeOfFile: 'record' }), place });
    const boxes = file.objects.map(({ bounds, polygon }): AnnotationRecord['box'] =>
      bounds ? [bounds[0] - shift, bounds[1] - shift, bounds[2], bounds[3]] : boxAround(polygon!, file.size),
    );
    const numbers = file.objects.map(({ number }) => number);
    const masks = instances && matchInstances(boxes, instancesOf(instances), numbers);
    for (const { number, error } of file.refused)
      problems.add({
        kind: 'field-type',
        source,
        place: `${place} object ${number}`,
        found: error.message,
        imageId: stem,
      });
    for (const [i, object] of file.objects.entries()) {
      if (object.difficult && difficult === 'drop') continue;
      const mask = masks?.[i];
      if (masks && mask === undefined) {
        problems.add({
          kind: 'object-unmatched',
          source,
          place: `${place} object ${object.number}`,
          found: `no colour fits '${object.name}'`,
        });
      }
      annotations.push({
        id: annotations.length + 1,
        imageId: stem,
        categoryId: idOf.get(object.name)!,
        box: boxes[i]!,
        crowd: false,
        ...(mask
          ? { segmentation: { kind: 'runs', runs: mask.runLengths() } as const, area: mask.area }
          : object.polygon && outlineOf(object.polygon)),
        ...(object.difficult && { difficult: true }),
        place: `${place} object ${object.number}`,
      });
    }
  }
  return { source, images, annotations, categories };
}

/** Outlines have no last pixel: their corners lie between pixels and count from 0, unlike those of the box. */
function outlineOf(polygon: readonly number[]): Pick<AnnotationRecord, 'segmentation' | 'area'> {
  const points = Float64Array.from(polygon);
  return { segmentation: { kind: 'polygons', parts: [points] }, area: polygonArea(points) };
}

/** VOC's own ids when every name is one of its classes; else the names in alphabetical order. */
function categoriesOf(entries: readonly VocEntry[]): readonly Category[] {
  const used = new Set(entries.flatMap(({ file }) => file.objects.map(({ name }) => name)));
  const names = [...used].every((name) => VOC_CLASSES.includes(name)) ? VOC_CLASSES : [...used].sort();
  return names.map((name, i) => ({ id: i + 1, name }));
}

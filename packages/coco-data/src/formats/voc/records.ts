import type { ImageSize } from '@rcnn/core';
import type { Mask } from '@rcnn/masks';
import type { ProblemKind, Problems } from '../../doctor/problems.ts';
import type { AnnotationRecord, AnnotationSet, Category, ImageRecord } from '../../records.ts';
import { boxAround, polygonArea } from '../outline.ts';
import { matchInstances } from './instances.ts';
import type { VocFile, VocObject } from './parse-xml.ts';

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
  /** The objects of the SegmentationObject image by their index (`instancesOf`), where there is one. */
  readonly instances?: ReadonlyMap<number, Mask>;
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
  const remains: AnnotationRecord[] = [];
  const report = (kind: ProblemKind, place: string, found: string, imageId: string): void =>
    problems.add({ kind, source, place, found, imageId });
  const readBox = boxReader(oneBased, report);
  for (const { stem, image, place, file, instances, isSizeOfFile } of entries) {
    images.push({ id: stem, file: image, size: file.size, ...(isSizeOfFile && { sizeOfFile: 'record' }), place });
    const placeOf = ({ number }: { readonly number: number }): string => `${place} object ${number}`;
    const common = (object: VocObject): Omit<AnnotationRecord, 'id'> => ({
      imageId: stem,
      categoryId: idOf.get(object.name)!,
      box: readBox(object, file.size, placeOf(object), stem),
      crowd: false,
      ...(object.difficult && { difficult: true }),
      place: placeOf(object),
    });
    const records = file.objects.map(common);
    const numbers = file.objects.map(({ number }) => number);
    const masks =
      instances &&
      matchInstances(
        records.map(({ box }) => box),
        instances,
        numbers,
      );
    for (const { number, error, rest } of file.refused) {
      report('field-type', placeOf({ number }), error.message, stem);
      if (rest) remains.push({ id: 0, ...common(rest) });
    }
    for (const [i, object] of file.objects.entries()) {
      if (object.difficult && difficult === 'drop') continue;
      const mask = masks?.[i];
      if (masks && mask === undefined)
        report('object-unmatched', placeOf(object), `no colour fits '${object.name}'`, stem);
      annotations.push({
        id: annotations.length + 1,
        ...records[i]!,
        ...(mask
          ? { segmentation: { kind: 'runs', runs: mask.runLengths() } as const, area: mask.area() }
          : object.polygons && outlineOf(object.polygons)),
      });
    }
  }
  return { source, images, annotations, categories, ...(remains.length > 0 && { remains }) };
}

type Report = (kind: ProblemKind, place: string, found: string, imageId: string) => void;

/** Reads boxes by their corners, and tells of those that VOC's own tools would not have written. */
function boxReader(
  oneBased: boolean,
  report: Report,
): (object: VocObject, size: ImageSize, place: string, imageId: string) => AnnotationRecord['box'] {
  const first = oneBased ? 1 : 0;
  let saysZero = false;
  return ({ bounds, polygons }, size, place, imageId) => {
    if (bounds === undefined) return boxAround(polygons!.flat(), size);
    const [xmin, ymin, xmax, ymax] = inOrder(bounds, size, first);
    if (xmin !== bounds[0] || ymin !== bounds[1])
      report('box-turned', `${place}/bbox`, `corners ${bounds.join(', ')}`, imageId);
    if (oneBased && !saysZero && (xmin === 0 || ymin === 0)) {
      saysZero = true; // once: whoever counts from 0 does so everywhere
      const found = `corners ${bounds.join(', ')}; zeroBased (--zero-based) reads corners as they are`;
      report('box-from-zero', `${place}/bbox`, found, imageId);
    }
    return [xmin - first, ymin - first, xmax, ymax];
  };
}

/** Corners whose sides change places, where both lie in the picture; others are no corners. */
function inOrder(
  bounds: NonNullable<VocObject['bounds']>,
  [height, width]: ImageSize,
  first: number,
): NonNullable<VocObject['bounds']> {
  const [x1, y1, x2, y2] = bounds;
  const lie = (a: number, b: number, side: number): boolean => Math.min(a, b) >= first && Math.max(a, b) <= side;
  const isTurned = x1 > x2 + first || y1 > y2 + first; // a step of one pixel is a box without width
  if (!isTurned || !lie(x1, x2, width) || !lie(y1, y2, height)) return bounds;
  return [Math.min(x1, x2), Math.min(y1, y2), Math.max(x1, x2), Math.max(y1, y2)];
}

/** Outlines have no last pixel: their corners lie between pixels and count from 0, unlike those of the box. */
function outlineOf(polygons: readonly (readonly number[])[]): Pick<AnnotationRecord, 'segmentation' | 'area'> {
  const parts = polygons.map((polygon) => Float64Array.from(polygon));
  return {
    segmentation: { kind: 'polygons', parts },
    area: parts.reduce((sum, part) => sum + polygonArea(part), 0),
  };
}

/** VOC's own ids when every name is one of its classes; else the names in alphabetical order. */
function categoriesOf(entries: readonly VocEntry[]): readonly Category[] {
  const objects = entries.flatMap(({ file: { objects: read, refused } }) => [
    ...read,
    ...refused.flatMap(({ rest }) => rest ?? []),
  ]);
  const used = new Set(objects.map(({ name }) => name));
  const names = [...used].every((name) => VOC_CLASSES.includes(name)) ? VOC_CLASSES : [...used].sort();
  return names.map((name, i) => ({ id: i + 1, name }));
}

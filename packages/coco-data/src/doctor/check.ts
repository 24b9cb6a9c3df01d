import type { ImageSize, InstanceMask } from '@rcnn/core';
import { counted, isRcnnError, quoteName } from '@rcnn/core/errors';
import { plainName } from '../class-map.ts';
import { sharedIds } from '../image-ids.ts';
import { pathProblem } from '../images/image-path.ts';
import { maskOf } from '../masks.ts';
import type { AnnotationRecord, AnnotationSet, Category, ImageId, ImageRecord } from '../records.ts';
import { crossingSides } from './outline.ts';
import type { ProblemKind, Problems } from './problems.ts';
import { looksLikeCorners, looksLikeFractions, overhang } from './units.ts';

/** The records of a set that a model may see, found by {@link checkRecords}. */
export interface CheckedSet extends AnnotationSet {
  /** Annotations of each image, in file order. */
  readonly byImage: ReadonlyMap<ImageId, readonly AnnotationRecord[]>;
}

/** The same set without the images that have no usable annotation. */
export function withoutEmpty(set: CheckedSet): CheckedSet {
  const images = set.images.filter(({ id }) => (set.byImage.get(id)?.length ?? 0) > 0);
  return { ...set, images, byImage: new Map(images.map(({ id }) => [id, set.byImage.get(id)!])) };
}

/**
 * Judges every record without touching an image: ids, references, boxes, and what of the segmentations can be told
 * without filling them. Reports all problems and leaves out the records that have errors.
 */
export function checkRecords(set: AnnotationSet, problems: Problems): CheckedSet {
  const report = reporter(set.source, problems);
  if (set.images.length === 0) report('images-none', '', 'nothing to look at');
  const shared = sharedIds(set.images);
  const images = checkImages(set.images, shared, report, problems);
  const categories = checkCategories(set.categories, report);
  const knownCategories = new Set(categories.map(({ id }) => id));
  const byImage = new Map<ImageId, AnnotationRecord[]>(images.map(({ id }) => [id, []]));
  const sizes = new Map(images.map(({ id, size }) => [id, size]));
  const ids = new RepeatedIds(set.annotations);
  const points = usualPoints(set.annotations, categories);
  const annotations: AnnotationRecord[] = [];
  for (const written of set.annotations) {
    const annotation = withSoundArea(written, report);
    const size = sizes.get(annotation.imageId);
    const bad = [
      checkAnnotationId(annotation, ids),
      size === undefined ? unknownImage(annotation, shared) : undefined,
      knownCategories.has(annotation.categoryId)
        ? undefined
        : problem('unknown-category', 'category_id', `category ${annotation.categoryId}`),
      size && checkBox(annotation, size),
      size && checkSegmentationSize(annotation, size),
      checkKeypoints(annotation, categories, points),
    ].filter((found) => found !== undefined);
    for (const { kind, field, found } of bad)
      report(kind, `${annotation.place}${field}`, `${label(annotation)}: ${found}`);
    if (annotation.id === 0) report('annotation-id-zero', `${annotation.place}/id`, label(annotation));
    if (size && overhang(annotation.box, size) > 1 && bad.length === 0) {
      report(
        'box-overhangs',
        `${annotation.place}/bbox`,
        `${label(annotation)}: ${boxText(annotation)} in ${sizeText(size)}`,
      );
    }
    const outside = size === undefined ? 0 : pointsOutside(annotation, size);
    if (outside > 0 && bad.length === 0) {
      report('keypoint-outside', `${annotation.place}/keypoints`, `${label(annotation)}: ${counted(outside, 'point')}`);
    }
    if (bad.length > 0) continue;
    byImage.get(annotation.imageId)!.push(annotation);
    annotations.push(annotation);
  }
  checkUnits(set, sizes, report);
  checkMissingSegmentations(annotations, report);
  return { source: set.source, images, annotations, categories, byImage };
}

/**
 * Fills the masks of one image's annotations and compares them with boxes and areas. Slower than the rest: the doctor
 * asks for it, loading does not.
 * @returns the annotations whose mask is sound
 */
export function checkMasks(
  source: string,
  image: ImageRecord,
  annotations: readonly AnnotationRecord[],
  problems: Problems,
): readonly AnnotationRecord[] {
  const report = reporter(source, problems);
  return annotations.filter((annotation) => {
    const { segmentation, place } = annotation;
    if (segmentation === undefined) return true;
    const at = `${place}/segmentation`;
    let mask: MaskFacts;
    try {
      mask = factsOf(maskOf(segmentation, image.size));
    } catch (error) {
      if (!isRcnnError(error)) throw error;
      const kind = error.code === 'POLYGON_INVALID' ? 'polygon-not-finite' : 'rle-invalid';
      report(kind, at, `${label(annotation)}: ${error.message}`);
      return false;
    }
    if (mask.area === 0) {
      report('mask-empty', at, label(annotation));
      return false;
    }
    compare(annotation, mask, report);
    if (segmentation.kind === 'polygons') checkOutlines(annotation, image.size, report);
    return true;
  });
}

type Report = (kind: ProblemKind, place: string, found: string) => void;

function reporter(source: string, problems: Problems): Report {
  return (kind, place, found) => problems.add({ kind, source, place, found });
}

interface Found {
  readonly kind: ProblemKind;
  readonly field: string;
  readonly found: string;
}

function problem(kind: ProblemKind, field: string, found: string): Found {
  return { kind, field: `/${field}`, found };
}

function label({ id, imageId }: AnnotationRecord): string {
  return `annotation ${id} of image ${imageId}`;
}

function boxText({ box: [x1, y1, x2, y2] }: AnnotationRecord): string {
  return `box ${[x1, y1, x2, y2].map((value) => Math.round(value * 100) / 100).join(', ')}`;
}

function sizeText([height, width]: ImageSize): string {
  return `an image of ${width}x${height}`;
}

/** @param shared ids that several files have: which of them an object is on, nobody can tell */
function checkImages(
  images: readonly ImageRecord[],
  shared: ReadonlySet<ImageId>,
  report: Report,
  problems: Problems,
): readonly ImageRecord[] {
  const ids = new Set<ImageId>();
  const files = new Map<string, ImageId>();
  return images.filter(({ id, file, place }) => {
    const unsafe = pathProblem(file);
    if (unsafe !== undefined)
      report('path-refused', `${place}/file_name`, `image ${id}: ${JSON.stringify(file)} ${unsafe}`);
    const twice = ids.has(id);
    if (twice) report('duplicate-image-id', `${place}/id`, `image ${id}`);
    if (shared.has(id) && unsafe === undefined) problems.countLost();
    if (files.has(file))
      report('duplicate-file', `${place}/file_name`, `${file} of images ${files.get(file)} and ${id}`);
    ids.add(id);
    files.set(file, id);
    return unsafe === undefined && !twice && !shared.has(id);
  });
}

function unknownImage({ imageId }: AnnotationRecord, shared: ReadonlySet<ImageId>): Found {
  const why = shared.has(imageId) ? ', an id that several files have' : '';
  return problem('unknown-image', 'image_id', `image ${imageId}${why}`);
}

/** Converters that do not know an area write 0; measured by it, an object would be smaller than any. */
function withSoundArea(annotation: AnnotationRecord, report: Report): AnnotationRecord {
  const { area, ...others } = annotation;
  if (area === undefined || area > 0) return annotation;
  report('area-none', `${annotation.place}/area`, `${label(annotation)}: ${area}`);
  return others;
}

function checkCategories(categories: readonly Category[], report: Report): readonly Category[] {
  const ids = new Set<number>();
  const names = new Set<string>();
  const spellings = new Map<string, string>();
  const unclear = unclearIds(categories);
  return categories.filter(({ id, name }, i) => {
    const place = `/categories/${i}`;
    if (id === 0) report('category-id-zero', `${place}/id`, `category '${name}'`);
    const twice = ids.has(id);
    if (twice) report('duplicate-category-id', `${place}/id`, `category ${id} '${name}'`);
    const other = spellings.get(plainName(name)) ?? name;
    if (names.has(name)) report('duplicate-category-name', `${place}/name`, `'${name}'`);
    else if (other !== name)
      report('category-spelling', `${place}/name`, `${quoteName(name)} and ${quoteName(other)} are two categories`);
    spellings.set(plainName(name), other);
    ids.add(id);
    names.add(name);
    return !twice && !unclear.has(id);
  });
}

/** Ids that several names have: which of them an object is, nobody can tell. */
function unclearIds(categories: readonly Category[]): ReadonlySet<number> {
  const names = new Map<number, string>();
  const unclear = new Set<number>();
  for (const { id, name } of categories) {
    if ((names.get(id) ?? name) !== name) unclear.add(id);
    names.set(id, name);
  }
  return unclear;
}

function checkAnnotationId({ id }: AnnotationRecord, ids: RepeatedIds): Found | undefined {
  return ids.isRepeat(id) ? problem('duplicate-annotation-id', 'id', `id ${id} again`) : undefined;
}

/** Tells ids that came before. A set of all ids of a large file would take more memory than their boxes. */
class RepeatedIds {
  /** Ids that are used more than once, and whether the first of them was met. */
  readonly #met = new Map<number, boolean>();

  constructor(annotations: readonly AnnotationRecord[]) {
    const ids = Float64Array.from(annotations, ({ id }) => id).sort();
    for (let i = 1; i < ids.length; i++) if (ids[i] === ids[i - 1]) this.#met.set(ids[i]!, false);
  }

  isRepeat(id: number): boolean {
    const met = this.#met.get(id);
    if (met === false) this.#met.set(id, true);
    return met === true;
  }
}

function checkBox(annotation: AnnotationRecord, size: ImageSize): Found | undefined {
  const [x1, y1, x2, y2] = annotation.box;
  const text = boxText(annotation);
  if (!annotation.box.every(Number.isFinite)) return problem('box-not-finite', 'bbox', text);
  if (!(x2 > x1 && y2 > y1)) return problem('box-degenerate', 'bbox', text);
  if (x1 >= size[1] || y1 >= size[0] || x2 <= 0 || y2 <= 0) {
    return problem('box-outside', 'bbox', `${text} in ${sizeText(size)}`);
  }
  return undefined;
}

function checkSegmentationSize({ segmentation }: AnnotationRecord, size: ImageSize): Found | undefined {
  if (segmentation === undefined || segmentation.kind === 'polygons') return undefined;
  const own = segmentation.kind === 'runs' ? segmentation.runs.size : segmentation.size;
  if (own[0] === size[0] && own[1] === size[1]) return undefined;
  return problem('rle-size', 'segmentation/size', `a mask of ${own[1]}x${own[0]} in ${sizeText(size)}`);
}

/** @param usual how many key points the objects of this set have: a model finds one number of them */
function checkKeypoints(
  { keypoints, categoryId }: AnnotationRecord,
  categories: readonly Category[],
  usual: number,
): Found | undefined {
  if (keypoints === undefined) return undefined;
  const count = keypoints.length / 3;
  const named = namedPoints(categories, categoryId) ?? count;
  if (count !== named)
    return problem('keypoints-invalid', 'keypoints', `${counted(count, 'point')}, the category has ${named}`);
  if (count === usual) return undefined;
  return problem('keypoints-invalid', 'keypoints', `${counted(count, 'point')}, most objects have ${usual}`);
}

function namedPoints(categories: readonly Category[], categoryId: number): number | undefined {
  return categories.find(({ id }) => id === categoryId)?.keypoints?.length;
}

/** The number of key points that most objects have, of equal ones the first; those that contradict their names apart. */
function usualPoints(annotations: readonly AnnotationRecord[], categories: readonly Category[]): number {
  const counts = new Map<number, number>();
  for (const { keypoints, categoryId } of annotations) {
    if (keypoints === undefined) continue;
    const count = keypoints.length / 3;
    if ((namedPoints(categories, categoryId) ?? count) === count) counts.set(count, (counts.get(count) ?? 0) + 1);
  }
  const most = Math.max(...counts.values());
  return [...counts].find(([, objects]) => objects === most)?.[0] ?? 0;
}

/** Labelled key points that lie outside of the image by more than a pixel. */
function pointsOutside({ keypoints = new Float32Array() }: AnnotationRecord, [height, width]: ImageSize): number {
  let count = 0;
  for (let i = 0; i < keypoints.length; i += 3) {
    const [x, y] = [keypoints[i]!, keypoints[i + 1]!];
    if (keypoints[i + 2]! > 0 && !(x >= -1 && y >= -1 && x <= width + 1 && y <= height + 1)) count++;
  }
  return count;
}

/** Boxes that are all corners, or all fractions of the image, are reported once for the set. */
function checkUnits({ annotations }: AnnotationSet, sizes: ReadonlyMap<ImageId, ImageSize>, report: Report): void {
  const sizeOf = (id: ImageId): ImageSize | undefined => sizes.get(id);
  const corners = looksLikeCorners(annotations, sizeOf);
  if (corners !== undefined) report('box-corners', annotations[0]!.place, corners.found);
  const fractions = looksLikeFractions(annotations, sizeOf);
  if (fractions !== undefined) report('box-fractions', annotations[0]!.place, fractions.found);
}

function checkMissingSegmentations(annotations: readonly AnnotationRecord[], report: Report): void {
  const without = annotations.filter(({ segmentation }) => segmentation === undefined);
  if (without.length === annotations.length) {
    if (without.length > 0) report('masks-missing', without[0]!.place, counted(without.length, 'object'));
    return;
  }
  for (const annotation of without) report('segmentation-missing', annotation.place, label(annotation));
}

interface MaskFacts {
  readonly area: number;
  readonly box: readonly [x1: number, y1: number, x2: number, y2: number];
}

function factsOf(mask: InstanceMask): MaskFacts {
  const { size, counts } = mask.runLengths();
  const height = size[0];
  let [area, at, x1, y1, x2, y2] = [0, 0, size[1], height, 0, 0];
  for (let i = 0; i < counts.length; i++) {
    const count = counts[i]!;
    if (i % 2 === 1 && count > 0) {
      const last = at + count - 1;
      const [first, end] = [Math.floor(at / height), Math.floor(last / height)];
      area += count;
      x1 = Math.min(x1, first);
      x2 = Math.max(x2, end + 1);
      y1 = Math.min(y1, first === end ? at % height : 0);
      y2 = Math.max(y2, first === end ? (last % height) + 1 : height);
    }
    at += count;
  }
  return { area, box: [x1, y1, x2, y2] };
}

/** Whether an annotated area is further from the mask's than drawing and rounding explain. */
export function isAreaFarOff(area: number, pixels: number): boolean {
  return Math.abs(area - pixels) > 20 + 0.25 * Math.max(area, pixels);
}

/** Annotators round and masks have steps: only what no rounding explains is reported. */
function compare(annotation: AnnotationRecord, mask: MaskFacts, report: Report): void {
  const { box, area, crowd, place } = annotation;
  const sides = box.map((side, i) => Math.abs(side - mask.box[i]!));
  const reach = Math.max(box[2] - box[0], box[3] - box[1]);
  if (!crowd && Math.max(...sides) > 3 + 0.1 * reach) {
    report(
      'box-mask-disagree',
      `${place}/bbox`,
      `${label(annotation)}: ${boxText(annotation)}, mask ${mask.box.join(', ')}`,
    );
  }
  if (area === undefined) return;
  if (isAreaFarOff(area, mask.area)) {
    report('area-wrong', `${place}/area`, `${label(annotation)}: area ${area}, mask ${mask.area}`);
  }
}

function checkOutlines(annotation: AnnotationRecord, [height, width]: ImageSize, report: Report): void {
  if (annotation.segmentation?.kind !== 'polygons') return;
  for (const [i, part] of annotation.segmentation.parts.entries()) {
    const at = `${annotation.place}/segmentation/${i}`;
    let beyond = 0;
    for (let k = 0; k < part.length; k += 2) {
      beyond = Math.max(beyond, -part[k]!, -part[k + 1]!, part[k]! - width, part[k + 1]! - height);
    }
    if (beyond > 1) {
      report('polygon-outside', at, `${label(annotation)}: ${Math.round(beyond * 100) / 100} pixels beyond`);
    }
    const crossing = crossingSides(part);
    if (crossing) report('polygon-crossing', at, `${label(annotation)}: sides ${crossing.join(' and ')}`);
  }
}

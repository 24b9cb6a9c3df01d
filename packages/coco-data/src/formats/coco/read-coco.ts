import type { ImageSize } from '@rcnn/core';
import { counted, isRcnnError, quoteName, RcnnError } from '@rcnn/core/errors';
import { Mask } from '@rcnn/masks';
import type { Problems } from '../../doctor/problems.ts';
import { otherForm } from '../../image-ids.ts';
import type { AnnotationRecord, AnnotationSet, Category, ImageId, ImageRecord, Segmentation } from '../../records.ts';
import { FieldReader, show } from '../json/fields.ts';
import { type ElementVisitor, JSONElements } from '../json/json-stream.ts';
import { isNonFinite } from '../json/non-finite.ts';
import { boxAround as boxAroundPoints } from '../outline.ts';
import { AnnotationIds } from './annotation-ids.ts';
import { CategoryTexts } from './category-texts.ts';
import { PolygonStore } from './polygon-store.ts';

export interface CocoOptions {
  /**
   * Whether images may state no size: their record then has {@link NO_SIZE}, for the caller to fill in from the file.
   * Default false: such a record is refused.
   */
  readonly sizeless?: boolean | undefined;
}

/** The size of an image whose record states none. */
export const NO_SIZE: ImageSize = [0, 0];

/** Bytes of a file, in any pieces. */
export type ByteChunks = Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

/**
 * Reads COCO annotations (instances or keypoints) from bytes in pieces; memory holds the records and one element's text.
 * Records that cannot be read are reported and left out; whether that is fatal, the caller decides.
 * @param source the file, named in errors
 * @throws FILE_TRUNCATED, FILE_MALFORMED with line and column; DATASET_INVALID when a list is missing
 */
export async function readCoco(
  chunks: ByteChunks,
  source: string,
  problems: Problems,
  options: CocoOptions = {},
): Promise<AnnotationSet> {
  const reader = new CocoReader(source, problems, options);
  const elements = new JSONElements(source, reader);
  for await (const chunk of chunks) elements.push(chunk);
  elements.end();
  return reader.finish();
}

/** The same from a parsed object, e.g. of `response.json()`. */
export function parseCoco(value: unknown, source: string, problems: Problems): AnnotationSet {
  const reader = new CocoReader(source, problems);
  if (typeof value === 'object' && value !== null) {
    for (const [key, list] of Object.entries(value)) {
      if (!Array.isArray(list)) {
        reader.value(key, list);
        continue;
      }
      reader.open(key);
      for (const [index, item] of list.entries()) reader.element(key, index, item);
    }
  }
  return reader.finish();
}

const LISTS: readonly string[] = ['images', 'annotations', 'categories'];

class CocoReader implements ElementVisitor {
  readonly #source: string;
  readonly #problems: Problems;
  readonly #images: ImageRecord[] = [];
  readonly #annotations: AnnotationRecord[] = [];
  readonly #categories: Category[] = [];
  readonly #lists = new Set<string>();
  readonly #polygonStore = new PolygonStore();
  readonly #sizeless: boolean;
  /** Whether an id of an image was text in one list and a number in the other. */
  #textIds = false;
  readonly #categoryTexts = new CategoryTexts();
  readonly #annotationIds = new AnnotationIds();

  constructor(source: string, problems: Problems, { sizeless = false }: CocoOptions = {}) {
    this.#source = source;
    this.#problems = problems;
    this.#sizeless = sizeless;
  }

  open(key: string): void {
    this.#lists.add(key);
  }

  /** Objects that are no list would pass for none at all. @throws DATASET_INVALID */
  value(key: string, value: unknown): void {
    if (!LISTS.includes(key) || value === null) return;
    throw new RcnnError('DATASET_INVALID', {
      where: this.#source,
      place: `/${key}`,
      problem: 'this is not a COCO annotation file: a list is something else',
      found: show(value),
      expected: `a list of ${key}`,
    });
  }

  element(key: string, index: number, value: unknown): void {
    if (key !== 'images' && key !== 'annotations' && key !== 'categories') return;
    // Joined, for a template keeps its pieces and links: in a million places that tells.
    const place = ['', key, index].join('/');
    const fields = new FieldReader(value, place, this.#source, this.#problems);
    if (fields.failed) return;
    if (key === 'annotations' && index === 0) this.#refuseOthers(fields);
    if (key === 'images') this.#addImage(fields);
    else if (key === 'annotations') this.#addAnnotation(fields);
    else this.#addCategory(fields);
  }

  finish(): AnnotationSet {
    const missing = ['images', 'categories'].filter((key) => !this.#lists.has(key));
    if (missing.length > 0) {
      throw new RcnnError('DATASET_INVALID', {
        where: this.#source,
        place: `/${missing[0]}`,
        problem: 'this is not a COCO annotation file: a list is missing',
        found: `lists: ${[...this.#lists].join(', ') || 'none'}`,
        expected: 'images, annotations, categories',
      });
    }
    const matched = this.#textIds ? matchTextIds(this.#images, this.#annotations) : this.#annotations;
    const annotations = this.#annotationIds.resolve(matched);
    const named = this.#categoryTexts.resolve(this.#categories, annotations, (place, text, isRead) =>
      this.#problems.add({
        kind: isRead ? 'category-id-text' : 'field-type',
        source: this.#source,
        place,
        found: isRead ? text : `${text}, expected a whole number`,
      }),
    );
    return { source: this.#source, images: this.#images, ...this.#withoutRoot(named) };
  }

  /** COCO has other files beside its instances. @throws DATASET_INVALID for panoptic annotations and captions */
  #refuseOthers(fields: FieldReader): void {
    const what = fields.has('segments_info') ? 'panoptic annotations' : fields.has('caption') ? 'captions' : undefined;
    if (what === undefined || fields.has('bbox') || fields.has('segmentation')) return;
    throw new RcnnError('DATASET_INVALID', {
      where: this.#source,
      place: fields.place,
      problem: 'the file holds no objects',
      found: what,
      expected: 'instances, each with a category and a box or a segmentation',
      hint: 'Take the file of instances (instances_*.json).',
    });
  }

  /** Roboflow puts a root without objects above the classes; it is no class. */
  #withoutRoot(all: Pick<AnnotationSet, 'categories' | 'annotations'>): typeof all {
    const root = all.categories.find(({ supercategory }) => supercategory === 'none');
    const others = all.categories.filter((category) => category !== root);
    if (root === undefined || others.length === 0) return all;
    if (!others.every(({ supercategory }) => supercategory === root.name)) return all;
    if (all.annotations.some(({ categoryId }) => categoryId === root.id)) return all;
    const found = `${quoteName(root.name)} is the root of the others and was left out`;
    this.#problems.add({ kind: 'category-unused', source: this.#source, place: '/categories', found });
    return { annotations: all.annotations, categories: others };
  }

  #addImage(fields: FieldReader): void {
    const id = fields.imageId('id');
    if (typeof id === 'string') this.#textIds = true;
    const file = fields.has('file_name') ? fields.name('file_name') : fileOfUrl(fields);
    const hasSize = !this.#sizeless || (statesSide(fields, 'height') && statesSide(fields, 'width'));
    const size = hasSize ? ([fields.side('height'), fields.side('width')] as const) : NO_SIZE;
    const [negative, unlisted] = [idList(fields, 'neg_category_ids'), idList(fields, 'not_exhaustive_category_ids')];
    if (fields.failed) {
      this.#problems.countLost();
      return;
    }
    if (negative === undefined && unlisted === undefined) {
      this.#images.push({ id, file, size, place: fields.place });
      return;
    }
    this.#images.push({
      id,
      file,
      size,
      ...(negative && { negativeCategoryIds: negative }),
      ...(unlisted && { notExhaustiveCategoryIds: unlisted }),
      place: fields.place,
    });
  }

  #addCategory(fields: FieldReader): void {
    const id = this.#categoryTexts.numberOf(fields, 'id');
    const name = fields.name('name');
    const [supercategory, keypoints, skeleton] = ['supercategory', 'keypoints', 'skeleton'].map((key) =>
      fields.get(key),
    );
    if (fields.failed) return;
    this.#categories.push({
      id,
      ...this.#categoryTexts.textOf(id),
      name,
      ...(typeof supercategory === 'string' && { supercategory }),
      ...(Array.isArray(keypoints) && { keypoints: keypoints.map(String) }),
      ...(Array.isArray(skeleton) && { skeleton: skeleton as (readonly [number, number])[] }),
    });
  }

  #addAnnotation(fields: FieldReader): void {
    const id = this.#annotationIds.numberOf(fields, this.#tellId);
    const imageId = fields.imageId('image_id');
    const categoryId = this.#categoryTexts.numberOf(fields, 'category_id');
    const crowd = fields.flag('iscrowd');
    if (typeof imageId === 'string') this.#textIds = true;
    const area = fields.optionalNumber('area');
    const keypoints = this.#keypoints(fields);
    const segmentation = this.#segmentation(fields);
    const box = segmentation === 'bad' ? undefined : boxOf(fields, segmentation);
    if (fields.failed || box === undefined || segmentation === 'bad' || keypoints === 'bad') {
      this.#markFaulty(imageId);
      return;
    }
    const { place } = fields;
    if (area !== undefined && segmentation && !keypoints) {
      // Almost all there are. Written out, a record keeps all its fields in one place.
      this.#annotations.push({ id, imageId, categoryId, box, crowd, area, segmentation, place });
      return;
    }
    this.#annotations.push({
      id,
      imageId,
      categoryId,
      box,
      crowd,
      ...(area !== undefined && { area }),
      ...(segmentation && { segmentation }),
      ...(keypoints && { keypoints }),
      place,
    });
  }

  #keypoints(fields: FieldReader): Float32Array | undefined | 'bad' {
    const written = fields.get('keypoints');
    if (written === undefined || isEmpty(written)) return undefined;
    const value = fields.list('keypoints', written) ?? written;
    const good =
      Array.isArray(value) &&
      value.length % 3 === 0 &&
      value.every((item, i) => Number.isFinite(item) && (i % 3 < 2 || item === 0 || item === 1 || item === 2));
    if (good) return Float32Array.from(value as number[]);
    return this.#bad('keypoints-invalid', `${fields.place}/keypoints`, show(value));
  }

  #segmentation(fields: FieldReader): Segmentation | undefined | 'bad' {
    const value = fields.get('segmentation');
    const place = `${fields.place}/segmentation`;
    if (value === undefined || isEmpty(value)) return undefined;
    if (Array.isArray(value)) return value.every(isEmpty) ? undefined : this.#polygons(value, place, fields);
    return this.#rle(value, place);
  }

  #polygons(value: readonly unknown[], place: string, fields: FieldReader): Segmentation | 'bad' {
    if (value.some((item) => typeof item === 'number')) return this.#bad('polygon-flat', place, show(value));
    const parts: (readonly number[])[] = [];
    for (const [i, part] of value.entries()) {
      if (isEmpty(part)) continue;
      const at = `${place}/${i}`;
      if (!Array.isArray(part)) return this.#bad('field-type', at, `${show(part)}, expected a list of numbers`);
      const numbers = part.every(isFinite) ? part : fields.list(`segmentation/${i}`, part);
      if (numbers === undefined) return this.#bad('polygon-not-finite', at, show(part));
      if (numbers.length % 2 === 1) return this.#bad('polygon-odd', at, counted(part.length, 'number'));
      if (numbers.length < 6) return this.#bad('polygon-short', at, show(part));
      parts.push(numbers);
    }
    return this.#polygonStore.add(parts);
  }

  #rle(value: unknown, place: string): Segmentation | 'bad' {
    const fields = new FieldReader(value, place, this.#source, this.#problems);
    const size = fields.failed ? undefined : fields.numbers('size', 2);
    if (size === undefined) return 'bad';
    if (!size.every((side) => Number.isInteger(side) && side > 0))
      return this.#bad('rle-invalid', `${place}/size`, show(size));
    const [height, width] = size as [number, number];
    const counts = fields.get('counts');
    if (typeof counts === 'string') return { kind: 'rle', size: [height, width], counts: withoutQuotes(counts) };
    if (!Array.isArray(counts)) return this.#bad('rle-invalid', `${place}/counts`, show(counts));
    const numbers: readonly unknown[] = fields.list('counts', counts) ?? counts;
    let sum = 0;
    for (const count of numbers) {
      if (!Number.isInteger(count) || (count as number) < 0)
        return this.#bad('rle-invalid', `${place}/counts`, show(count));
      sum += count as number;
    }
    if (sum !== height * width) {
      return this.#bad(
        'rle-invalid',
        `${place}/counts`,
        `runs of ${counted(sum, 'pixel')} in a mask of ${height}x${width}`,
      );
    }
    return { kind: 'runs', runs: { size: [height, width], counts: Uint32Array.from(numbers as number[]) } };
  }

  /** In both forms that an id may have: which one the images have, the end tells. */
  #markFaulty(imageId: ImageId): void {
    this.#problems.markFaulty(imageId);
    this.#problems.markFaulty(otherForm(imageId));
  }

  readonly #tellId = (place: string, found: string): void =>
    this.#problems.add({ kind: 'annotation-id-text', source: this.#source, place, found });

  #bad(kind: Parameters<Problems['add']>[0]['kind'], place: string, found: string): 'bad' {
    this.#problems.add({ kind, source: this.#source, place, found });
    return 'bad';
  }
}

/** `str(rle['counts'])` of Python: `b'…'`, with backslashes twice. The code itself has no quotes. */
function withoutQuotes(counts: string): string {
  const bytes = /^b(['"])(.*)\1$/s.exec(counts)?.[2];
  return bytes === undefined ? counts : bytes.replaceAll('\\\\', '\\');
}

/** `[]`, `[[]]`, `{}`, `""`, `null` and pandas' `NaN` are how tools write that there is nothing. */
function isEmpty(part: unknown): boolean {
  if (part === null || part === '' || isNonFinite(part)) return true;
  return typeof part === 'object' && Object.keys(part).length === 0;
}

type Corners = AnnotationRecord['box'];

/** The box as written; where a tool wrote none, the smallest around the segmentation. */
function boxOf(fields: FieldReader, segmentation: Segmentation | undefined): Corners | undefined {
  const isStated = fields.has('bbox') && !isEmpty(fields.get('bbox'));
  if (!isStated && segmentation !== undefined) {
    try {
      return boxAround(segmentation);
    } catch (error) {
      if (!isRcnnError(error)) throw error; // run lengths that cannot be read: the missing box is reported
    }
  }
  const bbox = fields.numbers('bbox', 4);
  if (bbox === undefined) return undefined;
  const [x, y, width, height] = bbox as [number, number, number, number];
  return [x, y, x + width, y + height];
}

function boxAround(segmentation: Segmentation): Corners {
  if (segmentation.kind === 'runs') return Mask.fromRuns(segmentation.runs).box();
  if (segmentation.kind === 'rle') return Mask.fromRLE(segmentation).box();
  const points = segmentation.parts.flatMap((part) => [...part]);
  return boxAroundPoints(points, [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]);
}

/** LVIS has addresses of COCO's servers instead of file names; their last two steps are the folder and the file. */
function fileOfUrl(fields: FieldReader): string {
  const url = fields.get('coco_url');
  const steps = typeof url === 'string' ? url.split('/').slice(-2) : [];
  return steps.length === 2 ? steps.join('/') : fields.text('file_name');
}

function isFinite(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

/** Whether a side is stated; tools that could not open a picture wrote 0 or nothing. */
function statesSide(fields: FieldReader, name: string): boolean {
  const value = fields.get(name);
  return fields.has(name) && value !== 0 && value !== '' && !isNonFinite(value);
}

function idList(fields: FieldReader, name: string): readonly number[] | undefined {
  const value = fields.get(name);
  return Array.isArray(value) && value.every(Number.isSafeInteger) ? (value as number[]) : undefined;
}

/** An id that is text in one list and a number in the other means one image: the annotations take the images' form. */
function matchTextIds(images: readonly ImageRecord[], annotations: readonly AnnotationRecord[]): AnnotationRecord[] {
  const known = new Set<ImageId>(images.map(({ id }) => id));
  return annotations.map((annotation) => {
    const { imageId } = annotation;
    const other = otherForm(imageId);
    return known.has(imageId) || !known.has(other) ? annotation : { ...annotation, imageId: other };
  });
}

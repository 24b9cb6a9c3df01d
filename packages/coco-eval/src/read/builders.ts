import { RcnnError } from '@rcnn/core/errors';
import type { Detections, GroundTruth, Keypoints } from './columns.ts';
import { Numbers } from './growable.ts';
import type { Segmentations } from './segmentations.ts';

/** One annotation or detection while it is read. NaN stands for a number that was not there. */
export class Row {
  id: number = Number.NaN;
  imageId: number = Number.NaN;
  categoryId: number = Number.NaN;
  score: number = Number.NaN;
  area: number = Number.NaN;
  crowd: number = 0;
  labelled: number = Number.NaN;
  readonly box: Float64Array = new Float64Array(4);
  boxNumbers: number = 0;
  readonly keypoints: number[] = [];

  clear(): void {
    this.id = Number.NaN;
    this.imageId = Number.NaN;
    this.categoryId = Number.NaN;
    this.score = Number.NaN;
    this.area = Number.NaN;
    this.crowd = 0;
    this.labelled = Number.NaN;
    this.boxNumbers = 0;
    this.keypoints.length = 0;
  }
}

/** From id to place in an ascending list; remembers the last answer, since rows of one image come together. */
export class IdIndex {
  readonly #places = new Map<number, number>();
  #lastId = Number.NaN;
  #lastPlace = -1;

  constructor(ids: Float64Array) {
    ids.forEach((id, place) => this.#places.set(id, place));
  }

  find(id: number): number {
    if (id !== this.#lastId) {
      this.#lastId = id;
      this.#lastPlace = this.#places.get(id) ?? -1;
    }
    return this.#lastPlace;
  }
}

/** Where the images and categories of a truth are in its columns, by id. */
export class TruthIndex {
  readonly images: IdIndex;
  readonly categories: IdIndex;

  constructor({ imageIds, categoryIds }: Pick<GroundTruth, 'imageIds' | 'categoryIds'>) {
    this.images = new IdIndex(imageIds);
    this.categories = new IdIndex(categoryIds);
  }
}

/** Gathers a ground truth row by row, whichever way it is read. */
export class GroundTruthBuilder {
  readonly #where: string;
  readonly #images = new Map<number, [height: number, width: number]>();
  readonly #categories = new Map<number, string>();
  readonly #ids = new Numbers();
  readonly #imageIds = new Numbers();
  readonly #categoryIds = new Numbers();
  readonly #areas = new Numbers();
  readonly #crowd = new Numbers();
  readonly #boxes = new Numbers();
  readonly #labelled = new Numbers();
  readonly #keypoints = new Numbers();
  #points = -1;

  constructor(where: string) {
    this.#where = where;
  }

  addImage(id: number, height: number, width: number): void {
    if (!Number.isFinite(id))
      throw this.#invalid(`/images/${this.#images.size}/id`, 'an image needs a number as id', id);
    this.#images.set(id, [known(height), known(width)]);
  }

  addCategory(id: number, name: string): void {
    if (!Number.isFinite(id)) {
      throw this.#invalid(`/categories/${this.#categories.size}/id`, 'a category needs a number as id', id);
    }
    this.#categories.set(id, name);
  }

  addAnnotation(row: Row): void {
    const place = `/annotations/${this.#ids.length}`;
    if (!Number.isFinite(row.id)) throw this.#invalid(`${place}/id`, 'an annotation needs a number as id', row.id);
    if (!Number.isFinite(row.imageId)) {
      throw this.#invalid(`${place}/image_id`, 'an annotation needs the number of its image', row.imageId);
    }
    if (row.boxNumbers !== 0 && row.boxNumbers !== 4) {
      throw this.#invalid(`${place}/bbox`, 'a box has four numbers', row.boxNumbers);
    }
    this.#ids.push(row.id);
    this.#imageIds.push(row.imageId);
    this.#categoryIds.push(row.categoryId);
    this.#areas.push(row.area);
    this.#crowd.push(row.crowd);
    for (let i = 0; i < 4; i++) this.#boxes.push(row.boxNumbers === 4 ? row.box[i]! : Number.NaN);
    this.#addKeypoints(row, place);
  }

  #addKeypoints({ keypoints, labelled }: Row, place: string): void {
    let count = labelled;
    if (Number.isNaN(count)) {
      count = 0;
      for (let i = 2; i < keypoints.length; i += 3) if (keypoints[i]! > 0) count++;
    }
    this.#labelled.push(count);
    if (keypoints.length === 0 && this.#points < 0) return;
    if (this.#points < 0) {
      this.#points = keypoints.length / 3;
      const before = (this.#ids.length - 1) * keypoints.length; // rows before the first with keypoints have zeros
      for (let i = 0; i < before; i++) this.#keypoints.push(0);
    }
    if (keypoints.length !== 0 && keypoints.length !== 3 * this.#points) {
      throw this.#invalid(`${place}/keypoints`, `expected ${3 * this.#points} numbers as before`, keypoints.length);
    }
    for (let i = 0; i < 3 * this.#points; i++) this.#keypoints.push(keypoints[i] ?? 0);
  }

  finish(segmentations: Segmentations | undefined): GroundTruth {
    const imageIds = Float64Array.from(this.#images.keys()).sort();
    const categoryIds = Float64Array.from(this.#categories.keys()).sort();
    const imageSizes = new Uint32Array(2 * imageIds.length);
    imageIds.forEach((id, i) => imageSizes.set(this.#images.get(id)!, 2 * i));
    const count = this.#ids.length;
    const ids = this.#ids.view().slice();
    this.#checkUnique(ids);
    const images = new IdIndex(imageIds);
    const categories = new IdIndex(categoryIds);
    const image = new Int32Array(count);
    const category = new Int32Array(count);
    for (let i = 0; i < count; i++) {
      image[i] = images.find(this.#imageIds.at(i));
      category[i] = categories.find(this.#categoryIds.at(i));
    }
    return {
      imageIds,
      imageSizes,
      categoryIds,
      categoryNames: Array.from(categoryIds, (id) => this.#categories.get(id)!),
      count,
      image,
      category,
      ids,
      areas: this.#areas.view().slice(),
      crowd: new Uint8Array(this.#crowd.view()),
      boxes: this.#boxes.view().slice(),
      segmentations,
      keypoints: this.#finishKeypoints(),
      warnings: warningsOf(image, category, ids),
    };
  }

  #finishKeypoints(): Keypoints | undefined {
    if (this.#points < 0) return undefined;
    return {
      points: this.#points,
      values: this.#keypoints.view().slice(),
      labelled: new Int32Array(this.#labelled.view()),
    };
  }

  #checkUnique(ids: Float64Array): void {
    const sorted = ids.slice().sort();
    for (let i = 1; i < sorted.length; i++) {
      if (sorted[i] !== sorted[i - 1]) continue;
      throw new RcnnError('DUPLICATE_ID', {
        where: this.#where,
        place: `/annotations/${ids.lastIndexOf(sorted[i]!)}/id`,
        problem: 'two annotations have one id',
        found: String(sorted[i]),
        hint: 'Number the annotations from 1.',
      });
    }
  }

  #invalid(place: string, problem: string, found: number): RcnnError {
    return new RcnnError('DATASET_INVALID', { where: this.#where, place, problem, found: String(found) });
  }
}

function known(pixels: number): number {
  return Number.isInteger(pixels) && pixels > 0 && pixels < 2 ** 32 ? pixels : 0;
}

function warningsOf(image: Int32Array, category: Int32Array, ids: Float64Array): string[] {
  const warnings: string[] = [];
  const strangers = image.reduce((n, i) => n + (i < 0 ? 1 : 0), 0);
  if (strangers > 0)
    warnings.push(`${strangers} annotations name an image that is not in the file; they are left out.`);
  const unclassed = category.reduce((n, c) => n + (c < 0 ? 1 : 0), 0);
  if (unclassed > 0) warnings.push(`${unclassed} annotations name an unknown category; they are left out.`);
  if (ids.includes(0)) {
    warnings.push(
      'An annotation has id 0. COCO evaluation takes what matches it for unmatched (cocodataset/cocoapi#658), and so ' +
        'do we, to give the same numbers; number annotations from 1 to be rid of it.',
    );
  }
  return warnings;
}

export interface DetectionReading {
  /** What to do with a detection of a category that the truth does not have. Default `fail`. */
  readonly unknownCategory?: 'fail' | 'skip';
}

/** Gathers detections row by row, refusing what cannot be evaluated, with the index of the detection. */
export class DetectionBuilder {
  readonly #where: string;
  readonly #images: IdIndex;
  readonly #categories: IdIndex;
  readonly #skipUnknown: boolean;
  readonly #image = new Numbers();
  readonly #category = new Numbers();
  readonly #scores = new Numbers();
  readonly #boxes = new Numbers();
  readonly #keypoints = new Numbers();
  #points = -1;
  #index = 0;

  /** @param ids the places of the truth's ids; pass them when many builders read for one truth */
  constructor(
    where: string,
    truth: GroundTruth,
    { unknownCategory = 'fail' }: DetectionReading = {},
    ids: TruthIndex = new TruthIndex(truth),
  ) {
    this.#where = where;
    this.#images = ids.images;
    this.#categories = ids.categories;
    this.#skipUnknown = unknownCategory === 'skip';
  }

  /** Adds one detection; false when it is of an unknown category and skipped. */
  add(row: Row): boolean {
    const image = this.#images.find(row.imageId);
    if (image < 0) throw this.#invalid('image_id', 'the ground truth has no such image', row.imageId);
    const category = this.#categories.find(row.categoryId);
    if (category < 0) {
      if (!this.#skipUnknown) {
        throw this.#invalid('category_id', 'the ground truth has no such category', row.categoryId);
      }
      this.#index++;
      return false;
    }
    if (!Number.isFinite(row.score)) throw this.#invalid('score', 'the score must be a finite number', row.score);
    if (row.boxNumbers !== 0) this.#checkBox(row);
    this.#image.push(image);
    this.#category.push(category);
    this.#scores.push(row.score);
    for (let i = 0; i < 4; i++) this.#boxes.push(row.boxNumbers === 4 ? row.box[i]! : Number.NaN);
    this.#addKeypoints(row.keypoints);
    this.#index++;
    return true;
  }

  #checkBox({ box, boxNumbers }: Row): void {
    if (boxNumbers !== 4) throw this.#invalid('bbox', 'a box has four numbers', boxNumbers);
    for (let i = 0; i < 4; i++) {
      if (!Number.isFinite(box[i])) throw this.#invalid(`bbox/${i}`, 'a box needs finite numbers', box[i]!);
    }
  }

  #addKeypoints(keypoints: readonly number[]): void {
    if (keypoints.length === 0 && this.#points < 0) return;
    if (this.#points < 0) {
      this.#points = keypoints.length / 3;
      for (let i = 0; i < (this.#image.length - 1) * keypoints.length; i++) this.#keypoints.push(Number.NaN);
    }
    if (keypoints.length !== 0 && keypoints.length !== 3 * this.#points) {
      throw this.#invalid('keypoints', `expected ${3 * this.#points} numbers as before`, keypoints.length);
    }
    for (let i = 0; i < 3 * this.#points; i++) this.#keypoints.push(keypoints[i] ?? Number.NaN);
  }

  finish(segmentations: Segmentations | undefined): Detections {
    return {
      count: this.#image.length,
      image: new Int32Array(this.#image.view()),
      category: new Int32Array(this.#category.view()),
      scores: this.#scores.view(),
      boxes: this.#boxes.view(),
      segmentations,
      keypoints: this.#points < 0 ? undefined : { points: this.#points, values: this.#keypoints.view() },
      ids: undefined,
    };
  }

  #invalid(field: string, problem: string, found: number): RcnnError {
    return new RcnnError('DETECTION_INVALID', {
      where: this.#where,
      place: `/${this.#index}/${field}`,
      problem,
      found: String(found),
    });
  }
}

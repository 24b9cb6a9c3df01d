import { counted, RcnnError } from '@rcnn/core/errors';
import { boxWarnings } from './box-words.ts';
import type { Detections, GroundTruth, Keypoints } from './columns.ts';
import { Numbers } from './growable.ts';
import { IdColumn } from './id-column.ts';
import { type Id, IdIndex, type Ids, isId, lookalikes, looksUnmatched, sortedIds } from './ids.ts';
import { KeypointColumns } from './keypoints.ts';
import { COLUMN, type NativeRows } from './native-rows.ts';
import type { Segmentations } from './segmentations.ts';
import { shownValue } from './shown.ts';

/** One annotation or detection while it is read. NaN stands for a number that was not there. */
export class Row {
  id: Id = Number.NaN;
  imageId: Id = Number.NaN;
  categoryId: Id = Number.NaN;
  score: number = Number.NaN;
  area: number = Number.NaN;
  /** NaN where it is neither a number nor a boolean nor null. */
  crowd: number = 0;
  labelled: number = Number.NaN;
  readonly box: Float64Array = new Float64Array(4);
  /** Numbers of the box: 0 where there is none, -1 where it is no list. */
  boxNumbers: number = 0;
  readonly keypoints: number[] = [];
  /** False where there is a segmentation of a kind that COCO does not have. */
  segmentable: boolean = true;
  /** What stands at a path such as `score` or `bbox/2`, as it is written: for messages. */
  written: (path: string) => string = () => 'nothing';

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
    this.segmentable = true;
  }
}

/** The field of a row that no evaluation can use, and why; undefined for a good row. */
function badField(row: Row): [path: string, problem: string] | undefined {
  const { box, boxNumbers, crowd, segmentable } = row;
  if (boxNumbers !== 0 && boxNumbers !== 4) return ['bbox', 'a box is a list of four numbers'];
  for (let i = 0; i < boxNumbers; i++) if (!Number.isFinite(box[i])) return [`bbox/${i}`, 'a box needs finite numbers'];
  if (Number.isNaN(crowd)) return ['iscrowd', 'must be 0 or 1'];
  return segmentable ? undefined : ['segmentation', 'a mask is a list of polygons, or an object with size and counts'];
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
  readonly #images = new Map<Id, [height: number, width: number]>();
  readonly #categories = new Map<Id, string>();
  #repeated = 0; // images
  readonly #ids = new IdColumn();
  readonly #imageIds = new IdColumn();
  readonly #categoryIds = new IdColumn();
  readonly #areas = new Numbers();
  readonly #crowd = new Numbers();
  readonly #boxes = new Numbers();
  readonly #labelled = new Numbers();
  readonly #keypoints = new KeypointColumns();

  constructor(where: string) {
    this.#where = where;
  }

  /** @param written what stands in the file as its id */
  addImage(id: Id, height: number, width: number, written: () => string): void {
    if (!isId(id)) {
      throw this.#invalid(`/images/${this.#images.size}/id`, 'an image needs an id, a number or text', written());
    }
    if (this.#images.has(id)) this.#repeated++;
    this.#images.set(id, [known(height), known(width)]);
  }

  addCategory(id: Id, name: string, written: () => string): void {
    if (!isId(id)) {
      throw this.#invalid(
        `/categories/${this.#categories.size}/id`,
        'a category needs an id, a number or text',
        written(),
      );
    }
    this.#categories.set(id, name);
  }

  addAnnotation(row: Row): void {
    const place = `/annotations/${this.#ids.length}`;
    const fail = (path: string, problem: string): RcnnError =>
      this.#invalid(`${place}/${path}`, problem, row.written(path));
    if (!isId(row.id)) throw fail('id', 'an annotation needs an id, a number or text');
    if (!isId(row.imageId)) throw fail('image_id', 'an annotation needs the id of its image');
    const bad = badField(row);
    if (bad !== undefined) throw fail(...bad);
    if (!Number.isFinite(row.area) && !/^(?:nothing|null|NaN)$/.test(row.written('area'))) {
      throw fail('area', 'an area must be a finite number');
    }
    this.#ids.push(row.id);
    this.#imageIds.push(row.imageId);
    this.#categoryIds.push(row.categoryId);
    this.#areas.push(row.area);
    this.#crowd.push(row.crowd);
    for (let i = 0; i < 4; i++) this.#boxes.push(row.boxNumbers === 4 ? row.box[i]! : Number.NaN);
    this.#addKeypoints(row, place);
  }

  /** Adds the first rows that were read last at once; false, and none, where one needs a closer look. */
  addAnnotations(rows: NativeRows, count: number): boolean {
    if (![COLUMN.id, COLUMN.image, COLUMN.category].every((column) => rows.allHave(column, count))) return false;
    this.#ids.append(rows.column(COLUMN.id, count));
    this.#imageIds.append(rows.column(COLUMN.image, count));
    this.#categoryIds.append(rows.column(COLUMN.category, count));
    this.#areas.append(rows.column(COLUMN.area, count));
    this.#crowd.append(rows.column(COLUMN.crowd, count));
    this.#boxes.append(rows.boxes(count));
    // No keypoints: how many are labelled is as the file says, or none.
    for (const labelled of rows.column(COLUMN.labelled, count)) {
      this.#labelled.push(Number.isNaN(labelled) ? 0 : labelled);
    }
    this.#keypoints.addNone(count);
    return true;
  }

  #addKeypoints({ keypoints, labelled }: Row, place: string): void {
    let count = labelled;
    if (Number.isNaN(count)) {
      count = 0;
      for (let i = 2; i < keypoints.length; i += 3) if (keypoints[i]! > 0) count++;
    }
    this.#labelled.push(count);
    const problem = this.#keypoints.add(keypoints);
    if (problem !== undefined) throw this.#invalid(`${place}/keypoints`, problem, `${keypoints.length} numbers`);
  }

  finish(segmentations: Segmentations | undefined): GroundTruth {
    const imageIds = this.#sorted('images', this.#images.keys());
    const categoryIds = this.#sorted('categories', this.#categories.keys());
    const imageSizes = new Uint32Array(2 * imageIds.length);
    imageIds.forEach((id, i) => imageSizes.set(this.#images.get(id)!, 2 * i));
    const ids = this.#ids.finish();
    this.#checkUnique(ids);
    const images = new IdIndex(imageIds);
    const categories = new IdIndex(categoryIds);
    const image = images.findAll(this.#imageIds);
    const category = categories.findAll(this.#categoryIds);
    const left = (places: Int32Array, named: IdColumn, what: string): string[] => {
      const first = places.indexOf(-1);
      if (first < 0) return [];
      const count = places.reduce((n, place) => n + (place < 0 ? 1 : 0), 0);
      const example = `annotation ${shownValue(this.#ids.at(first))} names ${shownValue(named.at(first))}`;
      return [
        `${counted(count, 'annotation names', 'annotations name')} ${what} that is not in the file; ${count === 1 ? 'it is' : 'they are'} left out. The first: ${example}.`,
      ];
    };
    const repeated = `${counted(this.#repeated, 'image has', 'images have')} an id that another has too; the last one counts, as in COCO evaluation.`;
    return {
      where: this.#where,
      imageIds,
      imageSizes,
      categoryIds,
      categoryNames: Array.from(categoryIds, (id) => this.#categories.get(id)!),
      count: this.#ids.length,
      image,
      category,
      ids,
      areas: this.#areas.view().slice(),
      crowd: new Uint8Array(this.#crowd.view()),
      boxes: this.#boxes.view().slice(),
      segmentations,
      keypoints: this.#finishKeypoints(),
      warnings: [
        ...(this.#repeated > 0 ? [repeated] : []),
        ...left(image, this.#imageIds, 'an image'),
        ...left(category, this.#categoryIds, 'a category'),
        ...byValueWarnings(images, categories, this.#where),
        ...(hasUnmatched(ids) ? [ID_ZERO] : []),
      ],
    };
  }

  #sorted(list: string, ids: Iterable<Id>): Ids {
    const sorted = sortedIds(ids);
    const alike = lookalikes(sorted);
    if (alike === undefined) return sorted;
    throw new RcnnError('DUPLICATE_ID', {
      where: this.#where,
      place: `/${list}`,
      problem: 'one id is written as a number and as text',
      found: alike.map(shownValue).join(' and '),
    });
  }

  #finishKeypoints(): Keypoints | undefined {
    const columns = this.#keypoints.finish(0);
    return columns && { ...columns, labelled: new Int32Array(this.#labelled.view()) };
  }

  #checkUnique(ids: Ids): void {
    const repeated = firstRepeated(ids);
    if (repeated === undefined) return;
    throw new RcnnError('DUPLICATE_ID', {
      where: this.#where,
      place: `/annotations/${ids.lastIndexOf(repeated as never)}/id`,
      problem: 'two annotations have one id',
      found: shownValue(repeated),
      hint: 'Number the annotations from 1.',
    });
  }

  #invalid(place: string, problem: string, found: string): RcnnError {
    return new RcnnError('DATASET_INVALID', { where: this.#where, place, problem, found });
  }
}

/** Whether there is an id that COCO evaluation takes for "nothing". */
function hasUnmatched(ids: Ids): boolean {
  return ids instanceof Float64Array ? ids.includes(0) : ids.some(looksUnmatched);
}

function firstRepeated(ids: Ids): Id | undefined {
  if (ids instanceof Float64Array) {
    if (areRising(ids)) return undefined;
    const sorted = ids.slice().sort();
    return sorted.find((id, i) => i > 0 && id === sorted[i - 1]);
  }
  const seen = new Set<Id>();
  return ids.find((id) => seen.size === seen.add(id).size);
}

/** Most files number their annotations in order. */
function areRising(ids: Float64Array): boolean {
  for (let i = 1; i < ids.length; i++) if (!(ids[i]! > ids[i - 1]!)) return false;
  return true;
}

function known(pixels: number): number {
  return Number.isInteger(pixels) && pixels > 0 && pixels < 2 ** 32 ? pixels : 0;
}

const ID_ZERO =
  'An annotation has id 0. COCO evaluation takes what matches it for unmatched (cocodataset/cocoapi#658), and so ' +
  'do we, to give the same numbers; number annotations from 1 to be rid of it.';

function byValueWarnings(images: IdIndex, categories: IdIndex, where: string): string[] {
  const warn = (count: number, what: string): string[] =>
    count === 0
      ? []
      : [
          `${where}: ${counted(count, `id of ${what} is`, `ids of ${what} are`)} text where the list of ${what} has numbers, or a number where it has text; matched by their value.`,
        ];
  return [...warn(images.foundByValue, 'images'), ...warn(categories.foundByValue, 'categories')];
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
  readonly #truth: GroundTruth;
  readonly #image = new Numbers();
  readonly #category = new Numbers();
  readonly #scores = new Numbers();
  readonly #boxes = new Numbers();
  readonly #keypoints = new KeypointColumns();
  readonly #indices = new Numbers();
  #index = 0;

  /** @param ids the places of the truth's ids; pass them when many builders read for one truth */
  constructor(
    where: string,
    truth: GroundTruth,
    { unknownCategory = 'fail' }: DetectionReading = {},
    ids: TruthIndex = new TruthIndex(truth),
  ) {
    this.#where = where;
    this.#truth = truth;
    this.#images = ids.images;
    this.#categories = ids.categories;
    this.#skipUnknown = unknownCategory === 'skip';
  }

  /** Adds one detection; false when it is of an unknown category and skipped. */
  add(row: Row): boolean {
    const fail = (path: string, problem: string): RcnnError => this.#invalid(path, problem, row.written(path));
    const image = this.#images.find(row.imageId);
    if (image < 0) throw fail('image_id', 'the ground truth has no such image');
    const category = this.#categories.find(row.categoryId);
    if (category < 0) {
      if (!this.#skipUnknown || !isId(row.categoryId))
        throw fail('category_id', 'the ground truth has no such category');
      this.#index++;
      return false;
    }
    if (!Number.isFinite(row.score)) throw fail('score', 'the score must be a finite number');
    const bad = badField(row);
    if (bad !== undefined) throw fail(...bad);
    const problem = this.#keypoints.add(row.keypoints);
    if (problem !== undefined) throw this.#invalid('keypoints', problem, `${row.keypoints.length} numbers`);
    this.#image.push(image);
    this.#category.push(category);
    this.#scores.push(row.score);
    for (let i = 0; i < 4; i++) this.#boxes.push(row.boxNumbers === 4 ? row.box[i]! : Number.NaN);
    this.#indices.push(this.#index++);
    return true;
  }

  /** Adds the first rows that were read last at once; false, and none, where one needs a closer look. */
  addAll(rows: NativeRows, count: number): boolean {
    if (!rows.allHave(COLUMN.score, count)) return false;
    const image = this.#images.findNumbers(rows.column(COLUMN.image, count));
    const category = this.#categories.findNumbers(rows.column(COLUMN.category, count));
    if (image === undefined || category === undefined) return false;
    this.#image.append(image);
    this.#category.append(category);
    this.#scores.append(rows.column(COLUMN.score, count));
    this.#boxes.append(rows.boxes(count));
    this.#keypoints.addNone(count);
    for (let i = 0; i < count; i++) this.#indices.push(this.#index++);
    return true;
  }

  finish(segmentations: Segmentations | undefined): Detections {
    const count = this.#image.length;
    const detections: Detections = {
      where: this.#where,
      count,
      image: new Int32Array(this.#image.view()),
      category: new Int32Array(this.#category.view()),
      scores: this.#scores.view(),
      boxes: this.#boxes.view(),
      segmentations,
      keypoints: this.#keypoints.finish(Number.NaN),
      ids: undefined,
      indices: count === this.#index ? undefined : this.#indices.view(),
      warnings: byValueWarnings(this.#images, this.#categories, this.#where),
    };
    return { ...detections, warnings: [...detections.warnings, ...boxWarnings(detections, this.#truth)] };
  }

  #invalid(field: string, problem: string, found: string): RcnnError {
    return new RcnnError('DETECTION_INVALID', {
      where: this.#where,
      place: `/${this.#index}/${field}`,
      problem,
      found,
    });
  }
}

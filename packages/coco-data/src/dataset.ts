import type { KeypointScheme } from '@rcnn/core';
import { counted, quoteName, RcnnError } from '@rcnn/core/errors';
import { ClassMap, plainName } from './class-map.ts';
import { type CheckedSet, checkRecords } from './doctor/check.ts';
import type { Problems } from './doctor/problems.ts';
import { requireMost } from './doctor/require-most.ts';
import type { ImageStore } from './images/image-store.ts';
import { keypointSchemeOf } from './keypoint-scheme.ts';
import { buildSample, type Sample, type SampleFields, type SampleRecords } from './loader/sample.ts';
import type { AnnotationRecord, AnnotationSet, Category, ImageId, ImageRecord } from './records.ts';

export interface DatasetOptions {
  /** Shown in reports. Default: the source of the annotations. */
  readonly name?: string;
  /**
   * How categories become labels: `contiguous` (1 … K, the default), `ids` (the category ids themselves, as in
   * torchvision's COCO weights), or the map of a model.
   */
  readonly classes?: 'contiguous' | 'ids' | ClassMap;
  /** Errors in annotations: `fail` (the default) refuses the set and lists them, `drop` leaves those records out. */
  readonly policy?: 'fail' | 'drop';
  /** With `drop`: share of the images that may be left out; one always may, unless it is 0. Default any. */
  readonly maxSkipRate?: number | undefined;
  /** Images without objects: kept (the default), or left out. */
  readonly keepEmpty?: boolean;
}

export interface TrainableOptions {
  /** Images without objects become negatives. Default false: left out, as torchvision does. */
  readonly keepEmpty?: boolean | undefined;
}

/** Categories named in a message. */
const SHOWN = 5;

/** A checked dataset: samples by index, in the order of the file. Holds no pixels. */
export class Dataset {
  readonly name: string;
  readonly classes: ClassMap;
  readonly images: readonly ImageRecord[];
  readonly store: ImageStore;
  /** What was found while reading; with policy `drop` it also tells what was left out. */
  readonly problems: Problems;
  readonly #set: CheckedSet;
  readonly #fields: SampleFields;
  /** What the key points are; undefined without any, or where no category names them. */
  readonly keypointScheme: KeypointScheme | undefined;
  /** Images with annotations, usable or not: one whose annotations were dropped is no negative. */
  readonly #annotated: ReadonlySet<ImageId>;

  private constructor(
    set: CheckedSet,
    annotated: ReadonlySet<ImageId>,
    images: readonly ImageRecord[],
    shared: Pick<Dataset, 'name' | 'classes' | 'store' | 'problems'>,
  ) {
    this.#set = set;
    this.#annotated = annotated;
    this.images = images;
    this.name = shared.name;
    this.classes = shared.classes;
    this.store = shared.store;
    this.problems = shared.problems;
    this.#fields = fieldsOf(set);
    this.keypointScheme = keypointSchemeOf(set.categories, this.#fields.keypoints);
  }

  /**
   * Checks what a reader gave and maps its categories.
   * @throws the code of the first error, with all of them listed, unless the policy is `drop`
   */
  static from(
    set: AnnotationSet,
    store: ImageStore,
    problems: Problems,
    { name = set.source, classes = 'contiguous', policy = 'fail', maxSkipRate, keepEmpty = true }: DatasetOptions = {},
  ): Dataset {
    const checked = checkRecords(set, problems);
    if (policy === 'fail') problems.throwErrors(set.source);
    else if (maxSkipRate !== undefined) requireMost(checked, problems, maxSkipRate);
    const map = classes instanceof ClassMap ? classes.withTexts(set.categories) : mapOf(checked, classes, policy);
    checkNames(checked, map);
    if (policy === 'fail') checkMapped(checked, map);
    else reportUnmapped(checked, map, problems);
    const isMapped = ({ categoryId }: AnnotationRecord): boolean => map.labelOf(categoryId) !== undefined;
    const images = keepEmpty
      ? checked.images
      : checked.images.filter(({ id }) => checked.byImage.get(id)!.some(isMapped));
    const annotated = new Set([...problems.faultyImages, ...set.annotations.map(({ imageId }) => imageId)]);
    return new Dataset(checked, annotated, images, { name, classes: map, store, problems });
  }

  get length(): number {
    return this.images.length;
  }

  /** Whether targets have masks. */
  get hasMasks(): boolean {
    return this.#fields.masks;
  }

  /** Keypoints per object; 0 when the dataset has none. */
  get numKeypoints(): number {
    return this.#fields.keypoints;
  }

  /** The annotations of an image, as read. */
  annotations(index: number): readonly AnnotationRecord[] {
    return this.#set.byImage.get(this.#image(index).id)!.filter(({ categoryId }) => this.#isMapped(categoryId));
  }

  /** Everything that a worker needs to build the sample: plain data, also where readers keep it packed. */
  records(index: number): SampleRecords {
    const fields = { ...this.#fields, keypointPartners: this.keypointScheme?.partners };
    const annotations = this.annotations(index).map((annotation) => {
      const { segmentation } = annotation;
      if (segmentation?.kind !== 'polygons') return annotation;
      return { ...annotation, segmentation: { kind: segmentation.kind, parts: segmentation.parts } };
    });
    return { image: this.#image(index), annotations, fields };
  }

  /** Objects of an image, without pixels. */
  sample(index: number): Sample {
    return buildSample(this.records(index), this.classes);
  }

  /** The same data, only these images, in this order. */
  subset(indices: readonly number[]): Dataset {
    const images = indices.map((index) => this.#image(index));
    return new Dataset(this.#set, this.#annotated, images, this);
  }

  /**
   * Without the images that training cannot use: those with no object besides crowds, or whose boxes are all at most a
   * pixel wide or high (torchvision's rule). With `keepEmpty`, images without any annotation stay, as negatives; those
   * with crowds, tiny boxes or faulty annotations alone do not, for they do show objects.
   */
  trainable({ keepEmpty = false }: TrainableOptions = {}): Dataset {
    const usable = ({ box, crowd }: AnnotationRecord): boolean => !crowd && box[2] - box[0] > 1 && box[3] - box[1] > 1;
    const isEmpty = (index: number): boolean => !this.#annotated.has(this.images[index]!.id);
    const fits = (index: number): boolean => this.annotations(index).some(usable) || (keepEmpty && isEmpty(index));
    return this.subset([...this.images.keys()].filter(fits));
  }

  #isMapped(categoryId: number): boolean {
    return this.classes.labelOf(categoryId) !== undefined;
  }

  #image(index: number): ImageRecord {
    const image = this.images[index];
    if (image !== undefined) return image;
    throw new RcnnError('INVALID_ARGUMENT', {
      where: `Dataset '${this.name}'`,
      problem: 'there is no such sample',
      found: String(index),
      expected: `0 … ${this.length - 1}`,
    });
  }
}

/** Masks only when every object has one: a target with holes in it would train on the wrong mask. */
function fieldsOf({ annotations }: CheckedSet): SampleFields {
  const masks = annotations.every(({ segmentation }) => segmentation !== undefined);
  const points = annotations.find(({ keypoints }) => keypoints !== undefined)?.keypoints?.length ?? 0;
  return { masks, keypoints: points / 3 };
}

function mapOf({ categories }: CheckedSet, how: 'contiguous' | 'ids', policy: 'fail' | 'drop'): ClassMap {
  if (how === 'contiguous') return ClassMap.contiguous(categories);
  return ClassMap.ids(policy === 'drop' ? categories.filter(({ id }) => id > 0) : categories);
}

/** A model's map must know every category that has objects, or they would silently become background. */
function checkMapped({ source, annotations, categories }: CheckedSet, map: ClassMap): void {
  const unknown = new Set<number>();
  for (const { categoryId } of annotations) if (map.labelOf(categoryId) === undefined) unknown.add(categoryId);
  if (unknown.size === 0) return;
  const names = categories.filter(({ id }) => unknown.has(id)).map(({ id, name }) => `${id} '${name}'`);
  throw new RcnnError('LABEL_OUT_OF_RANGE', {
    where: source,
    problem: 'the class map does not know categories that have objects',
    found: names.join(', '),
    hint: 'Load the dataset with the class map it was trained with, or leave the map out.',
  });
}

/** What the policy to drop leaves out for its class is counted as everything else that it leaves out. */
function reportUnmapped({ source, annotations, categories }: CheckedSet, map: ClassMap, problems: Problems): void {
  const names = new Map(categories.map(({ id, name }) => [id, name]));
  for (const { categoryId, place } of annotations) {
    if (map.labelOf(categoryId) !== undefined) continue;
    const found = `${categoryId} ${quoteName(names.get(categoryId)!)}`;
    problems.add({ kind: 'category-unmapped', source, place: `${place}/category_id`, found });
  }
}

/** An id that means something else to the model: every number computed from it would be wrong without a word. */
function checkNames({ source, categories }: CheckedSet, map: ClassMap): void {
  const other = categories.filter(({ id, name }) => {
    const label = map.labelOf(id);
    return label !== undefined && plainName(map.nameOf(label)) !== plainName(name);
  });
  if (other.length === 0) return;
  const list = (nameOf: (category: Category) => string): string =>
    other
      .slice(0, SHOWN)
      .map((category) => `${category.id} '${nameOf(category)}'`)
      .join(', ');
  throw new RcnnError('LABEL_OUT_OF_RANGE', {
    where: source,
    problem: `${other.length} of ${counted(categories.length, 'category', 'categories')} ${other.length === 1 ? 'means' : 'mean'} something else in the class map`,
    found: list(({ name }) => name),
    expected: list(({ id }) => map.nameOf(map.labelOf(id)!)),
    hint: "Classes of a model, or of the split that it learns from, and those of the data must agree. Was it trained on other data? 'mask-rcnn doctor DATA --fix OUT' numbers the classes of all splits alike.",
  });
}

import { counted, type ErrorCode, RcnnError } from '@rcnn/core/errors';
import type { ImageId } from '../records.ts';

/** `error`: no strict load. `warning`: loads, but look at it. `note`: a fact worth knowing, nothing wrong. */
export type Severity = 'error' | 'warning' | 'note';

/** What all problems of a kind have in common. */
export interface Kind {
  readonly severity: Severity;
  readonly code: ErrorCode;
  readonly title: string;
}

const kind = (severity: Severity, code: ErrorCode, title: string): Kind => ({ severity, code, title });

/** Names are stable: programs may switch on them. */
export type ProblemKind =
  | 'file-missing'
  | 'file-malformed'
  | 'file-refused'
  | 'file-foreign'
  | 'labels-missing'
  | 'split-missing'
  | 'field-missing'
  | 'field-type'
  | 'number-text'
  | 'number-none'
  | 'category-id-text'
  | 'annotation-id-text'
  | 'id-unsafe'
  | 'duplicate-image-id'
  | 'duplicate-annotation-id'
  | 'duplicate-category-id'
  | 'duplicate-category-name'
  | 'category-spelling'
  | 'duplicate-file'
  | 'annotation-id-zero'
  | 'category-id-zero'
  | 'unknown-image'
  | 'unknown-category'
  | 'category-unmapped'
  | 'category-unused'
  | 'category-differs'
  | 'category-renumbered'
  | 'class-unsaid'
  | 'region-unsupported'
  | 'region-ignored'
  | 'object-unmatched'
  | 'box-not-finite'
  | 'box-degenerate'
  | 'box-outside'
  | 'box-overhangs'
  | 'box-corners'
  | 'box-fractions'
  | 'box-tiny'
  | 'box-turned'
  | 'box-from-zero'
  | 'box-mask-disagree'
  | 'area-wrong'
  | 'area-none'
  | 'segmentation-missing'
  | 'masks-missing'
  | 'polygon-flat'
  | 'polygon-short'
  | 'polygon-odd'
  | 'polygon-not-finite'
  | 'polygon-outside'
  | 'polygon-crossing'
  | 'rle-invalid'
  | 'rle-size'
  | 'mask-empty'
  | 'keypoints-invalid'
  | 'keypoint-outside'
  | 'image-unclear'
  | 'image-missing'
  | 'image-corrupt'
  | 'image-too-large'
  | 'image-too-slow'
  | 'image-changed'
  | 'image-unlisted'
  | 'image-size'
  | 'image-rotated'
  | 'image-pages'
  | 'image-turned'
  | 'orientation-unsaid'
  | 'path-refused'
  | 'image-empty'
  | 'images-none'
  | 'crowd'
  | 'crowds-only'
  | 'duplicate-object'
  | 'duplicate-image'
  | 'duplicate-across-splits';

/** Every problem that reading or inspecting a dataset can find. */
export const PROBLEM_KINDS: Readonly<Record<ProblemKind, Kind>> = {
  // annotation files, where there is one per image
  'file-missing': kind('error', 'FILE_MISSING', 'an annotation file is missing'),
  'file-malformed': kind('error', 'FILE_MALFORMED', 'an annotation file cannot be read'),
  'file-refused': kind('error', 'FILE_REFUSED', 'an annotation file is refused'),
  'file-foreign': kind('note', 'DATASET_INVALID', 'a file of another program is passed by'),
  'labels-missing': kind('warning', 'FILE_MISSING', 'no picture of a split has a file of labels'),
  'split-missing': kind('warning', 'FILE_MISSING', 'a split that the dataset names is not there'),
  // records
  'field-missing': kind('error', 'DATASET_INVALID', 'a field is missing'),
  'field-type': kind('error', 'DATASET_INVALID', 'a field has the wrong type'),
  'number-text': kind('warning', 'DATASET_INVALID', 'a number is written as text, and is read as the number'),
  'number-none': kind('warning', 'DATASET_INVALID', 'a number is NaN or infinite, and is read as missing'),
  'annotation-id-text': kind(
    'warning',
    'DATASET_INVALID',
    'an annotation has no whole number for an id that JavaScript can hold, and gets one',
  ),
  'category-id-text': kind(
    'warning',
    'DATASET_INVALID',
    'a category is named by text where a number belongs, and is read as the number that it got',
  ),
  'id-unsafe': kind('error', 'DATASET_INVALID', 'an id is not a whole number that JavaScript can hold'),
  'duplicate-image-id': kind('error', 'DUPLICATE_ID', 'an image id is used twice'),
  'duplicate-annotation-id': kind('error', 'DUPLICATE_ID', 'an annotation id is used twice'),
  'duplicate-category-id': kind('error', 'DUPLICATE_ID', 'a category id is used twice'),
  'duplicate-category-name': kind('warning', 'DUPLICATE_ID', 'a category name is used twice'),
  'category-spelling': kind('warning', 'LABEL_OUT_OF_RANGE', 'names of categories differ in case or spaces alone'),
  'duplicate-file': kind('warning', 'DUPLICATE_ID', 'two images name the same file'),
  'annotation-id-zero': kind('warning', 'DATASET_INVALID', 'annotation id 0: COCO evaluation never matches it'),
  'category-id-zero': kind(
    'warning',
    'LABEL_OUT_OF_RANGE',
    'category id 0: with labels as ids it would be the background',
  ),
  'unknown-image': kind('error', 'UNKNOWN_ID', 'an annotation names an image that does not exist'),
  'unknown-category': kind('error', 'UNKNOWN_ID', 'an annotation names a category that does not exist'),
  'category-unmapped': kind('error', 'LABEL_OUT_OF_RANGE', 'an object is of a class that the class map does not know'),
  'category-unused': kind('note', 'DATASET_INVALID', 'a category has no annotation'),
  'category-differs': kind('error', 'LABEL_OUT_OF_RANGE', 'a category id means something else in another split'),
  'category-renumbered': kind(
    'warning',
    'LABEL_OUT_OF_RANGE',
    'a category gets another id, so that every split has the same ids',
  ),
  'class-unsaid': kind('warning', 'DATASET_INVALID', 'attributes of regions have no values, and the class is not said'),
  'region-unsupported': kind('error', 'DATASET_INVALID', 'a region has a shape without an area'),
  'region-ignored': kind('note', 'DATASET_INVALID', 'a region says that it is no object'),
  'object-unmatched': kind('error', 'DATASET_INVALID', 'an object and its segmentation do not belong together'),
  // boxes
  'box-not-finite': kind('error', 'BOX_DEGENERATE', 'a box is not finite'),
  'box-degenerate': kind('error', 'BOX_DEGENERATE', 'a box has no width or no height'),
  'box-outside': kind('error', 'BOX_DEGENERATE', 'a box lies outside its image'),
  'box-overhangs': kind('warning', 'BOX_DEGENERATE', 'a box reaches beyond its image'),
  'box-corners': kind('warning', 'BOX_DEGENERATE', 'boxes look like corners (x1, y1, x2, y2), not x, y, width, height'),
  'box-fractions': kind('error', 'BOX_DEGENERATE', 'boxes or outlines look like fractions of the image, not pixels'),
  'box-tiny': kind('warning', 'BOX_DEGENERATE', 'a box has a side of less than one pixel'),
  'box-turned': kind(
    'warning',
    'BOX_DEGENERATE',
    'a box was written from its far corner, and is read the right way round',
  ),
  'box-from-zero': kind('warning', 'BOX_DEGENERATE', 'a box begins at 0, where Pascal VOC counts from 1'),
  'box-mask-disagree': kind('warning', 'TARGET_INVALID', 'a box and its mask disagree'),
  'area-wrong': kind('warning', 'TARGET_INVALID', 'an area and its mask disagree'),
  'area-none': kind('warning', 'TARGET_INVALID', 'an area is not above 0, and is read as missing'),
  // masks and keypoints
  'segmentation-missing': kind('warning', 'TARGET_INVALID', 'an annotation has no segmentation while others have'),
  'masks-missing': kind(
    'note',
    'TARGET_INVALID',
    'no object has a segmentation: a model of boxes can be trained, such as fasterrcnn_small, one of masks cannot',
  ),
  'polygon-flat': kind('error', 'POLYGON_INVALID', 'a segmentation is a flat list, not a list of polygons'),
  'polygon-short': kind('error', 'POLYGON_INVALID', 'a polygon has fewer than three points'),
  'polygon-odd': kind('error', 'POLYGON_INVALID', 'a polygon has an odd count of numbers'),
  'polygon-not-finite': kind('error', 'POLYGON_INVALID', 'a polygon has a coordinate that is not a number'),
  'polygon-outside': kind('warning', 'POLYGON_INVALID', 'a polygon reaches beyond its image'),
  'polygon-crossing': kind('note', 'POLYGON_INVALID', 'the outline of a polygon crosses itself'),
  'rle-invalid': kind('error', 'RLE_INVALID', 'run lengths are malformed'),
  'rle-size': kind('error', 'MASK_SIZE_MISMATCH', 'a mask has another size than its image'),
  'mask-empty': kind('error', 'TARGET_INVALID', 'a mask covers no pixel'),
  'keypoints-invalid': kind('error', 'TARGET_INVALID', 'keypoints are malformed'),
  'keypoint-outside': kind('warning', 'TARGET_INVALID', 'labelled keypoints lie outside of their image'),
  // images
  'image-unclear': kind(
    'warning',
    'IMAGE_MISSING',
    'a file of annotations is called like one picture and names another',
  ),
  'image-missing': kind('error', 'IMAGE_MISSING', 'an image file is missing'),
  'image-corrupt': kind('error', 'IMAGE_CORRUPT', 'an image cannot be decoded'),
  'image-too-large': kind('error', 'IMAGE_TOO_LARGE', 'an image has more pixels than allowed'),
  'image-too-slow': kind('error', 'IMAGE_TOO_SLOW', 'an image takes longer to decode than allowed'),
  'image-changed': kind('error', 'DIGEST_MISMATCH', 'an image is not the one of the manifest'),
  'image-unlisted': kind('warning', 'DIGEST_MISMATCH', 'an image is not in the manifest'),
  'image-size': kind('error', 'IMAGE_SIZE_MISMATCH', 'an image has another size than its record'),
  'image-turned': kind(
    'error',
    'IMAGE_SIZE_MISMATCH',
    'annotations were drawn on the picture as shown (orientation setting, --auto-orient)',
  ),
  'image-rotated': kind('warning', 'IMAGE_SIZE_MISMATCH', 'an image has an EXIF orientation'),
  'image-pages': kind('warning', 'IMAGE_SIZE_MISMATCH', 'a file holds several pages or frames: the first is read'),
  'orientation-unsaid': kind(
    'warning',
    'IMAGE_SIZE_MISMATCH',
    'nothing says whether objects were drawn on pictures as stored or as shown (EXIF orientation)',
  ),
  'path-refused': kind('error', 'PATH_REFUSED', 'a file name leaves the folder of images'),
  'images-none': kind('warning', 'DATASET_INVALID', 'a split has no image'),
  'image-empty': kind('note', 'DATASET_INVALID', 'an image has no objects'),
  crowd: kind('note', 'DATASET_INVALID', 'a crowd region'),
  'crowds-only': kind(
    'warning',
    'DATASET_INVALID',
    'every object is marked as a crowd, and nothing is learned of crowds',
  ),
  'duplicate-object': kind('warning', 'DATASET_INVALID', 'the same object stands twice in an image'),
  'duplicate-image': kind('warning', 'DATASET_INVALID', 'two images of a split have the same pixels'),
  'duplicate-across-splits': kind('error', 'DATASET_INVALID', 'the same pixels are in two splits'),
};

/** One thing that is wrong, and where. */
export interface Problem {
  readonly kind: ProblemKind;
  /** The annotation file or folder. */
  readonly source: string;
  /** A JSON pointer, or a file and a number. */
  readonly place: string;
  /** What was found, e.g. `annotation 17 of image 'a.jpg': [3, 4, 0, 5]`. */
  readonly found: string;
  /** The image that an object belongs to, where its place does not tell. */
  readonly imageId?: ImageId;
  /** Where the object stands that this is a part of, where objects have parts with places of their own. */
  readonly partOf?: string;
}

/** All problems of one kind: how many, and the first of them. */
export interface ProblemCount {
  readonly kind: ProblemKind;
  readonly severity: Severity;
  readonly title: string;
  readonly count: number;
  readonly examples: readonly Problem[];
}

const EXAMPLES = 20;

/** Problems that cost an image, or a file that has the objects of one. */
const OF_IMAGES: readonly ProblemKind[] = [
  'file-missing',
  'file-malformed',
  'file-refused',
  'image-missing',
  'image-corrupt',
  'image-too-large',
  'image-too-slow',
  'image-size',
  'path-refused',
];

/** Gathers problems: counts all, keeps the first of each kind. */
export class Problems {
  readonly #keep: number;
  readonly #found = new Map<ProblemKind, { count: number; examples: Problem[] }>();
  readonly #faulty = new Set<ImageId>();
  #lost = 0;

  /** @param keep how many of each kind to keep. Default 20. */
  constructor(keep: number = EXAMPLES) {
    this.#keep = keep;
  }

  add(problem: Problem): void {
    const entry = this.#found.get(problem.kind) ?? { count: 0, examples: [] };
    entry.count++;
    if (entry.examples.length < this.#keep) entry.examples.push(problem);
    this.#found.set(problem.kind, entry);
    if (OF_IMAGES.includes(problem.kind)) this.#lost++;
    if (problem.imageId !== undefined && PROBLEM_KINDS[problem.kind].severity === 'error')
      this.markFaulty(problem.imageId);
  }

  /** An object of this image was reported and left out: the image shows more than is left of its annotations. */
  markFaulty(image: ImageId): void {
    this.#faulty.add(image);
  }

  /** An image was left out whole, for something that stands among the problems of its record. */
  countLost(): void {
    this.#lost++;
  }

  /** Images that objects were left out of, by their ids. */
  get faultyImages(): ReadonlySet<ImageId> {
    return this.#faulty;
  }

  /** Images that were left out whole. */
  get lostImages(): number {
    return this.#lost;
  }

  /** What cost an image first, or else the first error. */
  get firstLoss(): ProblemCount | undefined {
    const errors = this.list(1).filter(({ severity }) => severity === 'error');
    return errors.find(({ kind }) => OF_IMAGES.includes(kind)) ?? errors[0];
  }

  /** Takes over what another has gathered. */
  addAll(others: Problems): void {
    const lost = this.#lost + others.#lost;
    for (const image of others.#faulty) this.markFaulty(image);
    for (const { count, examples } of others.list(this.#keep)) {
      for (const problem of examples) this.add(problem);
      const entry = examples[0] && this.#found.get(examples[0].kind);
      if (entry) entry.count += count - examples.length;
    }
    this.#lost = lost;
  }

  count(severity?: Severity): number {
    let sum = 0;
    for (const [name, { count }] of this.#found) {
      if (severity === undefined || PROBLEM_KINDS[name].severity === severity) sum += count;
    }
    return sum;
  }

  /** By severity, errors first, then in the order in which kinds were met; at most `examples` of each kind. */
  list(examples: number = EXAMPLES): readonly ProblemCount[] {
    const order: readonly Severity[] = ['error', 'warning', 'note'];
    return [...this.#found]
      .map(([name, { count, examples: all }]) => {
        const { severity, title } = PROBLEM_KINDS[name];
        return { kind: name, severity, title, count, examples: all.slice(0, examples) };
      })
      .sort((a, b) => order.indexOf(a.severity) - order.indexOf(b.severity));
  }

  /** Throws when there are errors: one error that lists the first 20 and the total. */
  throwErrors(source: string): void {
    const errors = this.list().filter(({ severity }) => severity === 'error');
    const first = errors[0]?.examples[0];
    if (first === undefined) return;
    const total = errors.reduce((sum, { count }) => sum + count, 0);
    const lines = errors
      .flatMap(({ title, examples }) => examples.map(({ place, found }) => `\n  ${place}: ${title}: ${found}`))
      .slice(0, EXAMPLES);
    if (total > lines.length) lines.push(`\n  … and ${total - lines.length} more`);
    throw new RcnnError(PROBLEM_KINDS[first.kind].code, {
      where: source,
      place: first.place,
      problem: `${counted(total, 'problem')} in the annotations${lines.join('')}\n`,
      hint: "Run 'mask-rcnn doctor' for the whole list, '--fix OUT' for a repaired copy, or leave them out: badSamples skip (--bad-samples skip), in TypeScript policy 'drop'.",
    });
  }
}

import { RcnnError } from '@rcnn/core/errors';
import { DetectionBuilder, type DetectionReading, Row } from './builders.ts';
import { CellReader } from './cell.ts';
import type { GroundTruth } from './columns.ts';
import { axesOf } from './engine.ts';
import { type EvaluateOptions, type Evaluation, finish } from './evaluate.ts';
import { type CocoDataset, type CocoResult, groundTruthFrom, readResult } from './from-json.ts';
import { Matcher } from './match.ts';
import { Outcomes } from './outcomes.ts';
import { type ResolvedParams, resolveParams } from './params.ts';
import { ObjectSegmentations } from './segmentations.ts';
import { identity, sortByFallingScore, sortByIndex } from './sort.ts';

/** A detection of one image, in the form of COCO results; the image is named once for all. */
export type ImageResult = Omit<CocoResult, 'image_id'>;

/**
 * Evaluates while predicting: each image is matched when it comes, and of its detections only the outcome is kept (a
 * few bytes per area range), so half a million detections with masks need little memory. Images may come in any order;
 * the result is that of {@link evaluate} on all of them, to the last bit.
 */
export class StreamingEvaluator {
  readonly #truth: GroundTruth;
  readonly #params: ResolvedParams;
  readonly #matcher: Matcher;
  readonly #outcomes: Outcomes;
  readonly #reading: DetectionReading;
  readonly #imagePlace: Int32Array;
  readonly #categoryPlace: Int32Array;
  readonly #truthsByImage: { readonly rows: Uint32Array; readonly starts: Uint32Array };
  readonly #done: Uint8Array;

  constructor(
    truth: CocoDataset | GroundTruth,
    { iouType = 'bbox', unknownCategory = 'fail', ...params }: EvaluateOptions & DetectionReading = {},
  ) {
    this.#truth = 'imageIds' in truth ? truth : groundTruthFrom(truth);
    this.#params = resolveParams(iouType, params);
    this.#matcher = new Matcher(this.#params);
    this.#reading = { unknownCategory };
    const axes = axesOf(this.#truth, this.#params);
    this.#imagePlace = axes.image;
    this.#categoryPlace = axes.category;
    this.#outcomes = new Outcomes(this.#params, axes.columns);
    this.#truthsByImage = groupByImage(this.#truth, axes.category, axes.categoryIds.length);
    this.#done = new Uint8Array(this.#truth.imageIds.length);
  }

  /**
   * Matches the detections of one image. Call it once per image, also when nothing was found.
   * @throws DETECTION_INVALID, UNKNOWN_ID, INVALID_ARGUMENT when the image was added before
   */
  add(imageId: number, results: readonly ImageResult[]): void {
    const image = this.#truth.imageIds.indexOf(imageId);
    if (image < 0) {
      throw new RcnnError('UNKNOWN_ID', {
        where: 'StreamingEvaluator.add',
        problem: 'the ground truth has no such image',
        found: String(imageId),
      });
    }
    if (this.#done[image] !== 0) {
      throw new RcnnError('INVALID_ARGUMENT', {
        where: 'StreamingEvaluator.add',
        problem: `image ${imageId} was added before`,
        hint: 'Give all detections of an image in one call.',
      });
    }
    const builder = new DetectionBuilder(`detections of image ${imageId}`, this.#truth, this.#reading);
    const row = new Row();
    const kept: ImageResult[] = [];
    for (const result of results) {
      readResult({ ...result, image_id: imageId }, row);
      if (builder.add(row)) kept.push(result);
    }
    const masks = kept.map(({ segmentation }) => segmentation);
    const detections = builder.finish(new ObjectSegmentations(masks));
    this.#done[image] = 1;
    if (this.#imagePlace[image]! < 0) return; // not among the images that are evaluated
    const reader = new CellReader(this.#truth, detections, this.#params, this.#matcher.least);
    this.#matchImage(image, detections.category, detections.scores, reader);
  }

  #matchImage(image: number, categories: Int32Array, scores: Float64Array, reader: CellReader): void {
    const place = this.#categoryPlace;
    const { rows: truthRows, starts } = this.#truthsByImage;
    const truths = truthRows.subarray(starts[image], starts[image + 1]);
    const byClass = sortByIndex(identity(categories.length), categories, this.#truth.categoryIds.length);
    const rows = sortByFallingScore(byClass, scores).filter((row) => place[categories[row]!]! >= 0);
    const columns = this.#params.useCategories ? this.#outcomes.categories : 1;
    for (let column = 0; column < columns; column++) {
      const own = (category: number): boolean => !this.#params.useCategories || place[category] === column;
      const cellTruths = truths.filter((row) => own(this.#truth.category[row]!));
      const cellRows = rows.filter((row) => own(categories[row]!));
      if (cellTruths.length === 0 && cellRows.length === 0) continue;
      const cell = reader.read(this.#imagePlace[image]!, column, cellTruths, cellRows);
      this.#matcher.match(cell, this.#outcomes);
    }
  }

  /**
   * The evaluation of the images added so far. Images that were not added count as images without detections, as in
   * a results file; give `onlyAdded` to leave them out instead.
   */
  finish({ onlyAdded = false }: { readonly onlyAdded?: boolean } = {}): Evaluation {
    if (!onlyAdded) this.#truth.imageIds.forEach((id, image) => this.#done[image] === 0 && this.add(id, []));
    return finish(this.#truth, this.#outcomes, this.#params);
  }
}

/** Rows of the truth that are evaluated, image by image, in the order of category and file. */
function groupByImage(
  truth: GroundTruth,
  place: Int32Array,
  categories: number,
): { rows: Uint32Array; starts: Uint32Array } {
  const known = identity(truth.count).filter((row) => {
    const category = truth.category[row]!;
    return truth.image[row]! >= 0 && category >= 0 && place[category]! >= 0;
  });
  const column = Int32Array.from(truth.category, (category) => (category < 0 ? 0 : Math.max(0, place[category]!)));
  const rows = sortByIndex(sortByIndex(known, column, categories), truth.image, truth.imageIds.length);
  const starts = new Uint32Array(truth.imageIds.length + 1);
  for (const row of rows) starts[truth.image[row]! + 1]!++;
  for (let i = 0; i < truth.imageIds.length; i++) starts[i + 1]! += starts[i]!;
  return { rows, starts };
}

import { RcnnError } from '@rcnn/core/errors';
import { DetectionBuilder, type DetectionReading, Row, TruthIndex } from './builders.ts';
import { CellReader } from './cell.ts';
import type { Detections, GroundTruth } from './columns.ts';
import { axesOf } from './engine.ts';
import { type EvaluateOptions, type Evaluation, finish } from './evaluate.ts';
import { type CocoDataset, type CocoResult, groundTruthFrom, readResult } from './from-json.ts';
import { Matcher } from './match.ts';
import { Outcomes } from './outcomes.ts';
import { type ResolvedParams, resolveParams } from './params.ts';
import { ObjectSegmentations, type Segmentation } from './segmentations.ts';
import { identity, sortByFallingScore, sortByIndex } from './sort.ts';

/** A detection of one image, in the form of COCO results; the image is named once for all. */
export type ImageResult = Omit<CocoResult, 'image_id'>;

const NOTHING: Detections = {
  count: 0,
  image: new Int32Array(0),
  category: new Int32Array(0),
  scores: new Float64Array(0),
  boxes: new Float64Array(0),
  segmentations: undefined,
  keypoints: undefined,
  ids: undefined,
};

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
  readonly #ids: TruthIndex;
  readonly #reader: CellReader;
  readonly #row = new Row();
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
    this.#ids = new TruthIndex(this.#truth);
    this.#reader = new CellReader(this.#truth, NOTHING, this.#params, this.#matcher.least);
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
    const image = this.#ids.images.find(imageId);
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
    const builder = new DetectionBuilder(`detections of image ${imageId}`, this.#truth, this.#reading, this.#ids);
    const masks: (Segmentation | undefined)[] = [];
    for (const result of results) {
      readResult(result, this.#row);
      this.#row.imageId = imageId;
      if (builder.add(this.#row)) masks.push(result.segmentation);
    }
    const detections = builder.finish(new ObjectSegmentations(masks));
    this.#done[image] = 1;
    if (this.#imagePlace[image]! < 0) return; // not among the images that are evaluated
    this.#reader.use(detections);
    this.#matchImage(image, detections);
  }

  #matchImage(image: number, { category, scores }: Detections): void {
    const place = this.#categoryPlace;
    const { useCategories } = this.#params;
    const { rows: truthRows, starts } = this.#truthsByImage;
    const truths = truthRows.subarray(starts[image], starts[image + 1]);
    const classes = this.#truth.categoryIds.length;
    const all = identity(category.length).filter((row) => place[category[row]!]! >= 0);
    // Categories are in one order on both sides, so cells are runs of both lists.
    const rows = useCategories
      ? sortByIndex(sortByFallingScore(all, scores), category, classes)
      : sortByFallingScore(sortByIndex(all, category, classes), scores);
    const columnOf = (c: number | undefined): number =>
      c === undefined ? Number.POSITIVE_INFINITY : useCategories ? place[c]! : 0;
    const truthColumn = (g: number): number => columnOf(this.#truth.category[truths[g] ?? -1]);
    const column = (d: number): number => columnOf(category[rows[d] ?? -1]);
    for (let g = 0, d = 0; g < truths.length || d < rows.length; ) {
      const next = Math.min(truthColumn(g), column(d));
      let truthEnd = g;
      while (truthColumn(truthEnd) === next) truthEnd++;
      let end = d;
      while (column(end) === next) end++;
      const cellTruths = truths.subarray(g, truthEnd);
      const cell = this.#reader.read(this.#imagePlace[image]!, next, cellTruths, rows.subarray(d, end));
      this.#matcher.match(cell, this.#outcomes);
      g = truthEnd;
      d = end;
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

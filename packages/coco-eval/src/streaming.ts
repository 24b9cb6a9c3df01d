import { RcnnError } from '@rcnn/core/errors';
import { type EvaluateOptions, type Evaluation, finish } from './evaluate.ts';
import { CellReader } from './match/cell.ts';
import {
  type Axes,
  axesOf,
  ofImage,
  places,
  type RowsByImage,
  rankedRows,
  truthRows,
  walkImage,
} from './match/cells.ts';
import { Matcher } from './match/match.ts';
import { Outcomes } from './match/outcomes.ts';
import { identity } from './match/sort.ts';
import { type ResolvedParams, resolveParams } from './params.ts';
import { DetectionBuilder, type DetectionReading, Row, TruthIndex } from './read/builders.ts';
import type { Detections, GroundTruth } from './read/columns.ts';
import { type CocoDataset, type CocoResult, groundTruthFrom, readResult } from './read/from-json.ts';
import type { Id } from './read/ids.ts';
import { ObjectSegmentations, type Segmentation } from './read/segmentations.ts';
import { shownValue } from './read/shown.ts';

/** A detection of one image, in the form of COCO results; the image is named once for all. */
export type ImageResult = Omit<CocoResult, 'image_id'>;

const NOTHING: Detections = {
  where: 'detections',
  indices: undefined,
  warnings: [],
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
  readonly #axes: Axes;
  readonly #truths: RowsByImage;
  readonly #done: Uint8Array;
  readonly #warnings = new Set<string>();

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
    this.#axes = axesOf(this.#truth, this.#params);
    this.#outcomes = new Outcomes(this.#params, this.#axes.columns);
    this.#truths = truthRows(this.#truth, this.#params, this.#axes, 0, this.#axes.imageIds.length);
    this.#done = new Uint8Array(this.#truth.imageIds.length);
  }

  /**
   * Matches the detections of one image. Call it once per image, also when nothing was found.
   * @throws DETECTION_INVALID, UNKNOWN_ID, INVALID_ARGUMENT when the image was added before
   */
  add(imageId: Id, results: readonly ImageResult[]): void {
    const image = this.#ids.images.find(imageId);
    if (image < 0) {
      throw new RcnnError('UNKNOWN_ID', {
        where: 'StreamingEvaluator.add',
        problem: 'the ground truth has no such image',
        found: shownValue(imageId),
      });
    }
    if (this.#done[image] !== 0) {
      throw new RcnnError('INVALID_ARGUMENT', {
        where: 'StreamingEvaluator.add',
        problem: `image ${shownValue(imageId)} was added before`,
        hint: 'Give all detections of an image in one call.',
      });
    }
    const builder = new DetectionBuilder(
      `detections of image ${shownValue(imageId)}`,
      this.#truth,
      this.#reading,
      this.#ids,
    );
    const masks: (Segmentation | undefined)[] = [];
    for (const result of results) {
      readResult(result, this.#row);
      this.#row.imageId = imageId;
      if (builder.add(this.#row)) masks.push(result.segmentation);
    }
    const detections = builder.finish(new ObjectSegmentations(masks));
    for (const warning of detections.warnings) this.#warnings.add(warning);
    this.#done[image] = 1;
    const place = this.#axes.image[image]!;
    if (place < 0) return; // not among the images that are evaluated
    this.#reader.use(detections);
    this.#matchImage(place, detections);
  }

  #matchImage(place: number, { category, scores }: Detections): void {
    const categories = places(category, this.#axes.category);
    const rows = identity(category.length).filter((row) => categories[row]! >= 0);
    const found = rankedRows(rows, scores, categories, this.#params, this.#axes);
    const truths = ofImage(this.#truths, place);
    walkImage(truths, found, (column, g, truthEnd, d, end) => {
      const cell = this.#reader.read(place, column, truths.rows.subarray(g, truthEnd), found.rows.subarray(d, end));
      this.#matcher.match(cell, this.#outcomes);
    });
  }

  /**
   * The evaluation of the images added so far. Images that were not added count as images without detections, as in
   * a results file; give `onlyAdded` to leave them out instead.
   */
  finish({ onlyAdded = false }: { readonly onlyAdded?: boolean } = {}): Evaluation {
    if (!onlyAdded) this.#truth.imageIds.forEach((id, image) => this.#done[image] === 0 && this.add(id, []));
    return finish(this.#truth, this.#outcomes, this.#params, [...this.#warnings]);
  }
}

import { axesOf, matchImages } from './match/cells.ts';
import type { Outcomes } from './match/outcomes.ts';
import { type EvalParams, type IoUType, type ResolvedParams, resolveParams } from './params.ts';
import type { Detections, GroundTruth } from './read/columns.ts';
import { type CocoDataset, type CocoResult, detectionsFrom, groundTruthFrom } from './read/from-json.ts';
import type { Id } from './read/ids.ts';
import { accumulate } from './score/accumulate.ts';
import type { EvalArrays } from './score/arrays.ts';
import { summarize } from './score/summary.ts';

export interface EvaluateOptions extends EvalParams {
  /** Default `bbox`. */
  readonly iouType?: IoUType;
}

/** What an evaluation gives. */
export interface Evaluation extends EvalArrays {
  /** The arrays over the categories that have ground truth alone, with a category axis of that length. */
  readonly held: EvalArrays;
  /** Per category its place on the axis of `held`, or -1. */
  readonly places: Int32Array;
  readonly iouType: IoUType;
  /** AP, AP50, AP75, APs, APm, APl, AR1, AR10, AR100, ARs, ARm, ARl; for keypoints ten. -1 means undefined. */
  readonly stats: readonly number[];
  /** What pycocotools' `summarize` prints. */
  readonly summary: string;
  readonly params: ResolvedParams;
  /** The category axis: ids, ascending; empty when categories are not used. */
  readonly categoryIds: readonly Id[];
  readonly categoryNames: readonly string[];
  readonly warnings: readonly string[];
}

/**
 * Evaluates detections as pycocotools' COCOeval does, to the last bit.
 * @param truth a parsed COCO annotation file, or columns
 * @param detections a parsed list of COCO results, or columns
 * @throws DETECTION_INVALID, DATASET_INVALID, DUPLICATE_ID, INVALID_ARGUMENT
 */
export function evaluate(
  truth: CocoDataset | GroundTruth,
  detections: readonly CocoResult[] | Detections,
  { iouType = 'bbox', ...params }: EvaluateOptions = {},
): Evaluation {
  const resolved = resolveParams(iouType, params);
  const columns = 'imageIds' in truth ? truth : groundTruthFrom(truth);
  const found = isDetections(detections) ? detections : detectionsFrom(detections, columns);
  const axes = axesOf(columns, resolved);
  return finish(columns, matchImages(columns, found, resolved, axes), resolved, found.warnings);
}

function isDetections(value: readonly CocoResult[] | Detections): value is Detections {
  return !Array.isArray(value) && 'scores' in value;
}

/** From outcomes of all images to the result. */
export function finish(
  truth: GroundTruth,
  outcomes: Outcomes,
  params: ResolvedParams,
  warnings: readonly string[] = [],
): Evaluation {
  const axes = axesOf(truth, params);
  const { arrays, stats } = accumulate(outcomes, axes.imageIds.length, params);
  const names = new Map<Id, string>(Array.from(truth.categoryIds, (id: Id, i) => [id, truth.categoryNames[i]!]));
  const categoryIds: Id[] = params.useCategories ? Array.from<Id>(axes.categoryIds) : [];
  return {
    iouType: params.iouType,
    shape: arrays.shape,
    // Made when they are asked for.
    get precision() {
      return arrays.precision;
    },
    get scores() {
      return arrays.scores;
    },
    get recall() {
      return arrays.recall;
    },
    held: arrays.held,
    places: arrays.places,
    ...summarize(arrays.held, params, stats),
    params,
    categoryIds,
    categoryNames: categoryIds.map((id) => names.get(id) ?? String(id)),
    warnings: [...truth.warnings, ...warnings, ...warningsOf(params)],
  };
}

function warningsOf({ iouType, useCategories }: ResolvedParams): string[] {
  if (iouType !== 'keypoints' || useCategories) return [];
  return ['COCO evaluation matches no keypoints when categories are not used, and so do we, to give the same numbers.'];
}

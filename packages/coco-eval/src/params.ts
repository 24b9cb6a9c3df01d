import { RcnnError } from '@rcnn/core/errors';
import type { Id } from './read/ids.ts';

/**
 * What is compared: boxes, masks, keypoints, or masks by their edges too: `boundary` takes the lesser of the IoU of two
 * masks and that of their edges, so that an outline counts on large objects as well (Cheng et al. 2021, arXiv:2103.16562).
 */
export type IoUType = 'bbox' | 'segm' | 'keypoints' | 'boundary';

/** A range of object areas in square pixels, both ends included. */
export interface AreaRange {
  readonly name: string;
  readonly min: number;
  readonly max: number;
}

/** The parameters of COCOeval under names of ours; each has COCO's value as default. */
export interface EvalParams {
  /** Default 0.50, 0.55 … 0.95, as numpy's linspace has them. */
  readonly iouThresholds?: readonly number[];
  /** Default 0, 0.01 … 1, as numpy's linspace has them. */
  readonly recallThresholds?: readonly number[];
  /** Default all, small, medium and large; keypoints have no small. */
  readonly areaRanges?: readonly AreaRange[];
  /** Detections per image (and category), sorted. Default 1, 10, 100; keypoints 20. */
  readonly maxDetections?: readonly number[];
  /** Whether a detection must name the right category. Default true. */
  readonly useCategories?: boolean;
  /** Images to evaluate, by id. Default all. */
  readonly imageIds?: readonly Id[];
  /** Categories to evaluate, by id. Default all. */
  readonly categoryIds?: readonly Id[];
  /** Spread of each keypoint. Default COCO's 17. */
  readonly oksSigmas?: readonly number[];
}

/** {@link EvalParams} with every default filled in. */
export interface ResolvedParams extends Required<Omit<EvalParams, 'imageIds' | 'categoryIds'>> {
  readonly iouType: IoUType;
  readonly imageIds: readonly Id[] | undefined;
  readonly categoryIds: readonly Id[] | undefined;
}

/** numpy's linspace: `start + i * step`, the step rounded first and the end exact. The last bits decide at equality. */
function linspace(start: number, end: number, count: number): number[] {
  const step = (end - start) / (count - 1);
  return Array.from({ length: count }, (_, i) => (i === count - 1 ? end : start + i * step));
}

const SMALL: AreaRange = { name: 'small', min: 0, max: 32 ** 2 };
const AREAS: readonly AreaRange[] = [
  { name: 'all', min: 0, max: 1e5 ** 2 },
  SMALL,
  { name: 'medium', min: 32 ** 2, max: 96 ** 2 },
  { name: 'large', min: 96 ** 2, max: 1e5 ** 2 },
];

const SIGMAS = [0.26, 0.25, 0.25, 0.35, 0.35, 0.79, 0.79, 0.72, 0.72, 0.62, 0.62, 1.07, 1.07, 0.87, 0.87, 0.89, 0.89];

/** COCO's values with the caller's over them. @throws INVALID_ARGUMENT, UNKNOWN_OPTION */
export function resolveParams(iouType: IoUType, params: EvalParams = {}): ResolvedParams {
  if (!['bbox', 'segm', 'keypoints', 'boundary'].includes(iouType)) {
    throw new RcnnError('INVALID_ARGUMENT', {
      where: 'evaluate',
      problem: 'unknown kind of evaluation',
      found: iouType,
      expected: 'bbox, segm, keypoints or boundary',
    });
  }
  const keypoints = iouType === 'keypoints';
  const resolved: ResolvedParams = {
    iouType,
    iouThresholds: params.iouThresholds ?? linspace(0.5, 0.95, 10),
    recallThresholds: params.recallThresholds ?? linspace(0, 1, 101),
    areaRanges: params.areaRanges ?? (keypoints ? AREAS.filter((range) => range !== SMALL) : AREAS),
    maxDetections: [...(params.maxDetections ?? (keypoints ? [20] : [1, 10, 100]))].sort((a, b) => a - b),
    useCategories: params.useCategories ?? true,
    oksSigmas: params.oksSigmas ?? SIGMAS.map((sigma) => sigma / 10),
    imageIds: params.imageIds,
    categoryIds: params.categoryIds,
  };
  checkNumbers('iouThresholds', resolved.iouThresholds);
  checkNumbers('recallThresholds', resolved.recallThresholds);
  checkNumbers('maxDetections', resolved.maxDetections);
  checkNumbers('oksSigmas', resolved.oksSigmas);
  const odd = resolved.maxDetections.find((n) => !Number.isInteger(n) || n < 1);
  if (odd !== undefined) {
    throw new RcnnError('INVALID_ARGUMENT', {
      where: 'evaluate',
      place: 'maxDetections',
      problem: 'must be whole numbers from 1',
      found: String(odd),
    });
  }
  if (resolved.areaRanges.length === 0) throw emptyList('areaRanges');
  return resolved;
}

function checkNumbers(name: string, values: readonly number[]): void {
  if (values.length === 0) throw emptyList(name);
  const index = values.findIndex((value) => !Number.isFinite(value));
  if (index >= 0) {
    throw new RcnnError('INVALID_ARGUMENT', {
      where: 'evaluate',
      place: `${name}/${index}`,
      problem: 'must be a finite number',
      found: String(values[index]),
    });
  }
}

function emptyList(name: string): RcnnError {
  return new RcnnError('INVALID_ARGUMENT', { where: 'evaluate', place: name, problem: 'needs at least one value' });
}

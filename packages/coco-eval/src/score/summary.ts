import { pairwiseSum } from '../match/similarity.ts';
import type { IoUType, ResolvedParams } from '../params.ts';
import type { EvalArrays } from './arrays.ts';

/** One number of the summary. */
export interface Line {
  readonly kind: 'precision' | 'recall';
  /** Mean over all thresholds without it. */
  readonly iou?: number;
  readonly area: string;
  readonly maxDetections: number | undefined;
}

/**
 * The twelve (keypoints: ten) numbers and the text that pycocotools prints, byte for byte.
 * @param stats the numbers, where they are known already
 */
export function summarize(
  arrays: EvalArrays,
  params: ResolvedParams,
  stats: readonly number[] = statsOf(arrays, params),
): { stats: readonly number[]; summary: string } {
  const lines = linesOf(params);
  const text = lines.map((line, i) => `${describe(line, params)} = ${fixed(stats[i]!, 3)}\n`);
  return { stats, summary: text.join('') };
}

/** The numbers of the summary, in its order. */
export function linesOf({ iouType, maxDetections }: ResolvedParams): Line[] {
  return iouType === 'keypoints' ? keypointLines(maxDetections) : detectionLines(maxDetections);
}

/** The twelve (keypoints: ten) numbers. */
export function statsOf(arrays: EvalArrays, params: ResolvedParams): number[] {
  return linesOf(params).map((line) => mean(arrays, params, line));
}

/**
 * Short names of the numbers in `stats`, in their order: `AP`, `AP50`, … `ARl` for boxes and masks; key points have no
 * small ones, and no AR by the number of detections.
 */
export function statNames(iouType: IoUType): readonly string[] {
  if (iouType !== 'keypoints') return DETECTION_NAMES;
  return ['AP', 'AR'].flatMap((name) => [name, `${name}50`, `${name}75`, `${name}m`, `${name}l`]);
}

const DETECTION_NAMES = 'AP AP50 AP75 APs APm APl AR1 AR10 AR100 ARs ARm ARl'.split(' ');

/** AP is at the most detections. The original wants three numbers, and gives -1 where 100 is none of them. */
function detectionLines(max: readonly number[]): Line[] {
  const last = max.at(-1);
  const areas = ['small', 'medium', 'large'];
  return [
    { kind: 'precision', area: 'all', maxDetections: last },
    { kind: 'precision', iou: 0.5, area: 'all', maxDetections: last },
    { kind: 'precision', iou: 0.75, area: 'all', maxDetections: last },
    ...areas.map((area): Line => ({ kind: 'precision', area, maxDetections: last })),
    ...[max[0], max[1] ?? last, last].map((n): Line => ({ kind: 'recall', area: 'all', maxDetections: n })),
    ...areas.map((area): Line => ({ kind: 'recall', area, maxDetections: last })),
  ];
}

function keypointLines(max: readonly number[]): Line[] {
  const maxDetections = max.at(-1);
  return (['precision', 'recall'] as const).flatMap((kind): Line[] => [
    { kind, area: 'all', maxDetections },
    { kind, iou: 0.5, area: 'all', maxDetections },
    { kind, iou: 0.75, area: 'all', maxDetections },
    { kind, area: 'medium', maxDetections },
    { kind, area: 'large', maxDetections },
  ]);
}

/** Where a number's area range and limit stand; -1 where there is none of that name. */
export function placesOf({ areaRanges, maxDetections }: ResolvedParams, line: Line): { a: number; m: number } {
  return {
    a: areaRanges.findIndex(({ name }) => name === line.area),
    m: maxDetections.findIndex((n) => n === line.maxDetections),
  };
}

/** Mean of what is not -1, summed in numpy's order; -1 when nothing is left. */
function mean(arrays: EvalArrays, params: ResolvedParams, line: Line): number {
  const { kind, iou } = line;
  const [T, R, K, A, M] = arrays.shape;
  const { a, m } = placesOf(params, line);
  if (a < 0 || m < 0) return -1;
  const rows = kind === 'precision' ? R : 1;
  const source = kind === 'precision' ? arrays.precision : arrays.recall;
  const values = new Float64Array(T * rows * K);
  let count = 0;
  for (let t = 0; t < T; t++) {
    if (iou !== undefined && params.iouThresholds[t] !== iou) continue;
    for (let i = 0; i < rows * K; i++) {
      const value = source[((t * rows * K + i) * A + a) * M + m]!;
      if (value > -1) values[count++] = value;
    }
  }
  return count === 0 ? -1 : pairwiseSum(values, 0, count) / count;
}

function describe({ kind, iou, area, maxDetections }: Line, params: ResolvedParams): string {
  const title = kind === 'precision' ? 'Average Precision' : 'Average Recall';
  const short = kind === 'precision' ? '(AP)' : '(AR)';
  const thresholds = params.iouThresholds;
  const range = iou === undefined ? `${fixed(thresholds[0]!, 2)}:${fixed(thresholds.at(-1)!, 2)}` : fixed(iou, 2);
  return (
    ` ${title.padEnd(18)} ${short} @[ IoU=${range.padEnd(9)} | area=${area.padStart(6)} | ` +
    `maxDets=${String(maxDetections ?? -1).padStart(3)} ]`
  );
}

/**
 * A number with a fixed count of decimals as Python formats it: exact ties go to the even digit, where JavaScript
 * goes up. A double is tied only when it is an odd multiple of 1 / 2^(digits + 1).
 */
export function fixed(value: number, digits: number): string {
  const tied = Math.abs((value * 2 ** (digits + 1)) % 2) === 1;
  if (!tied) return value.toFixed(digits);
  const scaled = Math.abs(value) * 10 ** digits; // exact: few bits
  const below = Math.floor(scaled);
  const even = below % 2 === 0 ? below : below + 1;
  return `${value < 0 ? '-' : ''}${(even / 10 ** digits).toFixed(digits)}`;
}

import type { Kernel } from '../kernel.ts';
import type { Outcomes } from '../match/outcomes.ts';
import type { ResolvedParams } from '../params.ts';
import type { CurveArrays, EvalArrays } from './arrays.ts';
import { type Line, linesOf, placesOf } from './summary.ts';

/** Fills the arrays by WebAssembly, for up to 32 thresholds. Gives the numbers of the summary. */
export function accumulateNatively(
  kernel: Kernel,
  outcomes: Outcomes,
  images: number,
  params: ResolvedParams,
  { held, places }: CurveArrays,
): number[] {
  const { count, areas, positives } = outcomes;
  const { rows, ends } = order(kernel, outcomes, images);
  const { precision, scores, recall, gathered } = prepare(kernel, outcomes, params, held);
  const totals = kernel.copy(positives);
  for (let k = 0; k < places.length; k++) {
    if (places[k]! < 0) continue;
    const start = ends[k - 1] ?? 0;
    kernel.run.writeCategory(rows + 4 * start, (ends[k] ?? count) - start, places[k]!, totals + 4 * k * areas);
  }
  held.precision.set(kernel.doubles(precision, held.precision.length));
  held.scores.set(kernel.doubles(scores, held.scores.length));
  held.recall.set(kernel.doubles(recall, held.recall.length));
  return linesOf(params).map((line) => mean(kernel, held, params, line, { precision, recall, gathered }));
}

/**
 * The outcomes by category, within it by falling score; equal scores keep the order of images, and within a cell that
 * of the ranks.
 * @returns the address of the rows, and where each category's end
 */
function order(kernel: Kernel, outcomes: Outcomes, images: number): { rows: number; ends: Uint32Array } {
  const { count, categories } = outcomes;
  const first = kernel.room(4 * count);
  const second = kernel.room(4 * count);
  const ends = kernel.room(4 * Math.max(images, categories));
  const scores = kernel.copy(outcomes.scores.subarray(0, count));
  const image = kernel.copy(outcomes.image.subarray(0, count));
  const category = kernel.copy(outcomes.category.subarray(0, count));
  const keys = kernel.room(8 * count);
  const spare = kernel.room(12 * count);
  const rows = kernel.words(first, count);
  for (let i = 0; i < count; i++) rows[i] = i;
  kernel.run.sortByIndex(first, count, image, images, ends, second);
  kernel.run.scoresInOrder(second, count, scores, keys);
  kernel.run.sortByFallingScore(second, keys, spare, count);
  kernel.run.sortByIndex(second, count, category, categories, ends, first);
  return { rows: first, ends: kernel.words(ends, categories).slice() };
}

interface Addresses {
  readonly precision: number;
  readonly recall: number;
  readonly gathered: number;
}

/** Makes room for the arrays, and tells the kernel where everything is. */
function prepare(
  kernel: Kernel,
  outcomes: Outcomes,
  { recallThresholds, maxDetections }: ResolvedParams,
  { shape, precision, recall }: EvalArrays,
): Addresses & { readonly scores: number } {
  const [T, R, K, A, M] = shape;
  const { count, areas } = outcomes;
  kernel.run.setCurves(
    kernel.copy(outcomes.scores.subarray(0, count)),
    kernel.copy(outcomes.rank.subarray(0, count)),
    kernel.copy(outcomes.matched.subarray(0, count * areas)),
    kernel.copy(outcomes.ignored.subarray(0, count * areas)),
    A,
    kernel.copy(Int32Array.from(maxDetections, (n) => Math.min(n, 2 ** 31 - 1))),
    M,
    T,
    kernel.copy(Float64Array.from(recallThresholds)),
    R,
  );
  const addresses = {
    precision: kernel.room(8 * precision.length),
    scores: kernel.room(8 * precision.length),
    recall: kernel.room(8 * recall.length),
    gathered: kernel.room(8 * T * R * K),
  };
  const { precision: p, scores: s, recall: r } = addresses;
  const curves = kernel.room(16 * T * R * A * M);
  kernel.run.setArrays(p, s, r, K, curves, kernel.room(8 * R), kernel.room(32 * count));
  return addresses;
}

function mean(
  kernel: Kernel,
  { shape: [T, R, K, , M] }: EvalArrays,
  params: ResolvedParams,
  line: Line,
  { precision, recall, gathered }: Addresses,
): number {
  const { a, m } = placesOf(params, line);
  if (a < 0 || m < 0) return -1;
  let which = 0;
  for (let t = 0; t < T; t++) if (line.iou === undefined || params.iouThresholds[t] === line.iou) which |= 1 << t;
  const isPrecision = line.kind === 'precision';
  return kernel.run.meanOf(isPrecision ? precision : recall, isPrecision ? R * K : K, which, a * M + m, gathered);
}

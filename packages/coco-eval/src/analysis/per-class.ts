import { printable } from '@rcnn/core/errors';
import type { Evaluation } from '../evaluate.ts';
import { pairwiseSum } from '../match/similarity.ts';
import type { Id } from '../read/ids.ts';

/** The numbers of one category, over the first area range and the most detections. -1 means undefined. */
export interface ClassScore {
  readonly categoryId: Id;
  readonly name: string;
  readonly ap: number;
  readonly ap50: number;
  readonly ap75: number;
  /** By area range, in the order of the parameters, without the first ("all"). */
  readonly apByArea: readonly number[];
  readonly ar: number;
}

/** One row per category, in the order of the category axis. */
export function perClass(evaluation: Evaluation): ClassScore[] {
  const { params, categoryIds, categoryNames } = evaluation;
  const at = (iou: number): number => params.iouThresholds.indexOf(iou);
  return categoryIds.map((categoryId, k) => ({
    categoryId,
    name: categoryNames[k]!,
    ap: meanPrecision(evaluation, k, 0),
    ap50: meanPrecision(evaluation, k, 0, at(0.5)),
    ap75: meanPrecision(evaluation, k, 0, at(0.75)),
    apByArea: params.areaRanges.slice(1).map((_, a) => meanPrecision(evaluation, k, a + 1)),
    ar: meanRecall(evaluation, k),
  }));
}

/** Mean over recall thresholds and, without `threshold`, over IoU thresholds; -1 when undefined. */
function meanPrecision({ held, places }: Evaluation, category: number, a: number, threshold?: number): number {
  const { precision } = held;
  const [T, R, K, A, M] = held.shape;
  const k = places[category]!;
  if (k < 0) return -1;
  const values: number[] = [];
  for (let t = 0; t < T; t++) {
    if (threshold !== undefined && t !== threshold) continue;
    for (let r = 0; r < R; r++) {
      const value = precision[(((t * R + r) * K + k) * A + a) * M + M - 1]!;
      if (value > -1) values.push(value);
    }
  }
  return values.length === 0 ? -1 : pairwiseSum(values, 0, values.length) / values.length;
}

function meanRecall({ held, places }: Evaluation, category: number): number {
  const { recall } = held;
  const [T, , K, A, M] = held.shape;
  const k = places[category]!;
  if (k < 0) return -1;
  const values = Array.from({ length: T }, (_, t) => recall[(t * K + k) * A * M + M - 1]!).filter((v) => v > -1);
  return values.length === 0 ? -1 : pairwiseSum(values, 0, values.length) / values.length;
}

/** The table as text, aligned, one category per line. */
export function perClassTable(evaluation: Evaluation): string {
  const areas = evaluation.params.areaRanges.slice(1).map(({ name }) => `AP ${name}`);
  const header = ['category', 'AP', 'AP50', 'AP75', ...areas, 'AR'];
  const rows = perClass(evaluation).map(({ name, ap, ap50, ap75, apByArea, ar }) => [
    printable(name),
    ...[ap, ap50, ap75, ...apByArea, ar].map((value) => (value < 0 ? '-' : value.toFixed(3))),
  ]);
  const all = [header, ...rows];
  const widths = header.map((_, i) => all.reduce((most, row) => Math.max(most, row[i]!.length), 0));
  const line = (row: string[]): string =>
    row.map((text, i) => (i === 0 ? text.padEnd(widths[i]!) : text.padStart(widths[i]!))).join('  ');
  return `${all.map(line).join('\n')}\n`;
}

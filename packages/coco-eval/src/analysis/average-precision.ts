/** A detection as a list of a class sees it: its score, and whether it is right. */
export interface Judged {
  readonly score: number;
  readonly right: boolean;
}

/**
 * Average precision of one class.
 * - `area`: the area under the envelope (VOC 2010 on).
 * - `11point`: mean at recalls 0, 0.1 … 1 (VOC 2007).
 * - `101point`: mean at recalls 0, 0.01 … 1 (COCO).
 * @param positives objects to be found; 0 gives NaN
 */
export function averagePrecision(
  judged: readonly Judged[],
  positives: number,
  metric: 'area' | '11point' | '101point',
): number {
  if (positives === 0) return Number.NaN;
  const order = judged.map((_, i) => i).sort((a, b) => judged[b]!.score - judged[a]!.score);
  const precision: number[] = []; // at each true positive
  order.forEach((i, place) => {
    if (judged[i]!.right) precision.push((precision.length + 1) / (place + 1));
  });
  for (let i = precision.length - 1; i > 0; i--) precision[i - 1] = Math.max(precision[i - 1]!, precision[i]!);
  if (metric === 'area') return precision.reduce((sum, p) => sum + p, 0) / positives;
  const points = metric === '11point' ? 11 : 101;
  let sum = 0;
  for (let i = 0; i < points; i++) {
    const needed = Math.max(1, Math.ceil((i * positives) / (points - 1) - 1e-9));
    sum += precision[needed - 1] ?? 0;
  }
  return sum / points;
}

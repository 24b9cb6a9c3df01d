import { Kernel } from '../kernel.ts';
import type { Outcomes } from '../match/outcomes.ts';
import { identity, sortByFallingScore, sortByIndex } from '../match/sort.ts';
import type { ResolvedParams } from '../params.ts';
import { CurveArrays } from './arrays.ts';
import { Curve } from './curve.ts';
import { accumulateNatively } from './native-curves.ts';
import { statsOf } from './summary.ts';

/** The arrays, and the numbers of the summary. */
export interface Accumulated {
  readonly arrays: CurveArrays;
  readonly stats: readonly number[];
}

/**
 * Turns outcomes into precision, recall and score arrays.
 * @param native false leaves WebAssembly out
 */
export function accumulate(outcomes: Outcomes, images: number, params: ResolvedParams, native = true): Accumulated {
  const arrays = new CurveArrays(params, categoriesWithObjects(outcomes), outcomes.categories);
  const kernel = native && outcomes.words === 1 ? Kernel.make() : undefined;
  if (kernel !== undefined) return { arrays, stats: accumulateNatively(kernel, outcomes, images, params, arrays) };
  accumulateInJs(outcomes, images, params, arrays);
  return { arrays, stats: statsOf(arrays.held, params) };
}

function accumulateInJs(outcomes: Outcomes, images: number, params: ResolvedParams, arrays: CurveArrays): void {
  const K = outcomes.categories;
  const A = params.areaRanges.length;
  const M = params.maxDetections.length;
  // Equal scores keep the order of images; within a cell, that of the ranks.
  let order = sortByIndex(identity(outcomes.count), outcomes.image, images);
  order = sortByFallingScore(order, outcomes.scores.subarray(0, outcomes.count));
  order = sortByIndex(order, outcomes.category, K);
  const curve = new Curve(outcomes, params, arrays.held.shape);
  let start = 0;
  for (let k = 0; k < K; k++) {
    let end = start;
    while (end < order.length && outcomes.category[order[end]!] === k) end++;
    const place = arrays.places[k]!;
    if (place >= 0) {
      for (let a = 0; a < A; a++) {
        const positives = outcomes.positives[k * A + a]!;
        if (positives === 0) continue;
        for (let m = 0; m < M; m++) curve.write(order, start, end, place, a, m, positives, arrays.held.recall);
      }
      curve.copyTo(arrays.held, place);
    }
    start = end;
  }
}

/** Whether each category has ground truth that counts: without, all its numbers are undefined. */
function categoriesWithObjects({ categories, areas, positives, seen }: Outcomes): Uint8Array {
  const held = new Uint8Array(categories);
  for (let k = 0; k < categories; k++) {
    for (let a = 0; a < areas; a++) if (seen[k] !== 0 && positives[k * areas + a]! > 0) held[k] = 1;
  }
  return held;
}

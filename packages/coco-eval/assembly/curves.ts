// The numbers of `EvalArrays`, from outcomes in order of score.

let scores: usize = 0; // f64 of each outcome
let rank: usize = 0; // i32
let matched: usize = 0; // u32, `[row, areas]`
let ignored: usize = 0;
let areas: i32 = 0;
let limits: usize = 0; // i32: how many detections of a cell count
let limitCount: i32 = 0;
let thresholds: i32 = 0; // 32 at most
let recallThresholds: usize = 0; // f64
let recalls: i32 = 0;

export function setCurves(
  scoresAt: usize,
  rankAt: usize,
  matchedAt: usize,
  ignoredAt: usize,
  areasLength: i32,
  limitsAt: usize,
  limitsLength: i32,
  thresholdsLength: i32,
  recallThresholdsAt: usize,
  recallsLength: i32,
): void {
  scores = scoresAt;
  rank = rankAt;
  matched = matchedAt;
  ignored = ignoredAt;
  areas = areasLength;
  limits = limitsAt;
  limitCount = limitsLength;
  thresholds = thresholdsLength;
  recallThresholds = recallThresholdsAt;
  recalls = recallsLength;
}

let precision: usize = 0; // f64, `[thresholds, recalls, categories, areas, limits]`
let scoresOut: usize = 0;
let recall: usize = 0; // f64, `[thresholds, categories, areas, limits]`
let categories: i32 = 0;
let curves: usize = 0; // of one category, `[thresholds, recalls, areas, limits]`: precision, then scores
let needed: usize = 0; // f64 for each recall threshold
let spare: usize = 0; // 32 bytes for each outcome

export function setArrays(
  precisionAt: usize,
  scoresAt: usize,
  recallAt: usize,
  categoriesLength: i32,
  curvesAt: usize,
  neededAt: usize,
  spareAt: usize,
): void {
  precision = precisionAt;
  scoresOut = scoresAt;
  recall = recallAt;
  categories = categoriesLength;
  curves = curvesAt;
  needed = neededAt;
  spare = spareAt;
}

/**
 * Writes all curves of the category at place `k` of the arrays. `rows` are its n outcomes (u32) in order of score;
 * `positives` (u32) how many truths of each area range count: without any its numbers are -1.
 */
export function writeCategory(rows: usize, n: i32, k: i32, positives: usize): void {
  memory.fill(curves, 0, 2 * sizeOfCurves());
  for (let a = 0; a < areas; a++) {
    const total = <f64>load<u32>(positives + ((<usize>a) << 2));
    if (total > 0) countNeeded(total);
    for (let m = 0; m < limitCount; m++) {
      const column = (<usize>(a * limitCount + m)) << 3;
      const reached = recall + <usize>k * stepOf() + column;
      if (total > 0) writeCurves(rows, n, a, load<i32>(limits + ((<usize>m) << 2)), total, column, reached);
      else writeNone(column, reached);
    }
  }
  place(curves, precision, k);
  place(curves + sizeOfCurves(), scoresOut, k);
}

/** Bytes of the numbers of one category at a threshold and recall: of all area ranges and limits. */
function stepOf(): usize {
  return (<usize>(areas * limitCount)) << 3;
}

function sizeOfCurves(): usize {
  return <usize>(thresholds * recalls) * stepOf();
}

/** Copies curves to the places of category `k`, which are far apart: one after the other, each page is met once. */
function place(from: usize, to: usize, k: i32): void {
  const step = stepOf();
  const stride = step * <usize>categories;
  to += <usize>k * step;
  for (let i = thresholds * recalls; i > 0; i--, from += step, to += stride) {
    for (let at: usize = 0; at < step; at += 8) store<f64>(to + at, load<f64>(from + at));
  }
}

function writeNone(column: usize, reached: usize): void {
  const step = stepOf();
  for (let i: usize = 0; i < <usize>(thresholds * recalls); i++) {
    store<f64>(curves + column + i * step, -1);
    store<f64>(curves + sizeOfCurves() + column + i * step, -1);
  }
  for (let t: usize = 0; t < <usize>thresholds; t++) store<f64>(reached + t * step * <usize>categories, -1);
}

/** For each recall threshold the smallest count whose recall, as a double, is at or above it. */
function countNeeded(positives: f64): void {
  for (let r = 0; r < recalls; r++) {
    const at = (<usize>r) << 3;
    const threshold = load<f64>(recallThresholds + at);
    let count = max<f64>(0, ceil(threshold * positives));
    while (count > 0 && (count - 1) / positives >= threshold) count -= 1;
    while (count / positives < threshold) count += 1;
    store<f64>(needed + at, count);
  }
}

/** An outcome that some threshold treats unlike a plain false positive: its row, the plain ones before it, its bits. */
const SPECIAL: usize = 16;
const BEFORE: usize = 4;
const MATCHED: usize = 8;
const IGNORED: usize = 12;

/** Precision and score at each recall threshold, as `src/score/curve.ts` has them, with the same roundings. */
function writeCurves(
  rows: usize,
  n: i32,
  area: i32,
  limit: i32,
  positives: f64,
  column: usize,
  reachedAt: usize,
): void {
  const step = stepOf();
  const scoreCurves = curves + sizeOfCurves();
  const rise = spare;
  const scoreOf = rise + ((<usize>n) << 3);
  const special = scoreOf + ((<usize>n) << 3);
  const every: u32 = thresholds == 32 ? 0xffffffff : ((<u32>1) << thresholds) - 1;
  let kept: usize = special;
  let plain = 0;
  let first: i32 = -1;
  for (let i = 0; i < n; i++) {
    const row = load<u32>(rows + ((<usize>i) << 2));
    if (load<i32>(rank + ((<usize>row) << 2)) >= limit) continue;
    if (first < 0) first = row;
    const at = (<usize>(row * areas + area)) << 2;
    const isMatched = load<u32>(matched + at);
    const isIgnored = load<u32>(ignored + at);
    if ((isIgnored & every) == every) continue; // no threshold counts it
    if ((isMatched | isIgnored) != 0) {
      store<u32>(kept, row);
      store<u32>(kept, plain, BEFORE);
      store<u32>(kept, isMatched, MATCHED);
      store<u32>(kept, isIgnored, IGNORED);
      kept += SPECIAL;
    } else {
      plain++;
    }
  }
  for (let t = 0; t < thresholds; t++) {
    const bit: u32 = 1 << t;
    let hits = 0;
    let misses = 0;
    for (let at = special; at < kept; at += SPECIAL) {
      if ((load<u32>(at, IGNORED) & bit) != 0) continue;
      if ((load<u32>(at, MATCHED) & bit) == 0) {
        misses++;
        continue;
      }
      const to = (<usize>hits) << 3;
      hits++;
      const all = <f64>load<u32>(at, BEFORE) + <f64>misses + <f64>hits;
      store<f64>(rise + to, <f64>hits / (all + 2.220446049250313e-16));
      store<f64>(scoreOf + to, load<f64>(scores + ((<usize>load<u32>(at)) << 3)));
    }
    store<f64>(reachedAt + <usize>t * step * <usize>categories, first < 0 ? 0 : <f64>hits / positives);
    for (let i = hits - 1; i > 0; i--) {
      const here = rise + ((<usize>i) << 3);
      if (load<f64>(here) > load<f64>(here - 8)) store<f64>(here - 8, load<f64>(here));
    }
    if (first < 0) continue;
    for (let r = 0; r < recalls; r++) {
      const need = load<f64>(needed + ((<usize>r) << 3));
      if (need > <f64>hits) break; // the original stops at the first recall it cannot reach
      const at = column + <usize>(t * recalls + r) * step;
      if (need == 0) {
        if (hits > 0) store<f64>(curves + at, load<f64>(rise));
        store<f64>(scoreCurves + at, load<f64>(scores + ((<usize>first) << 3)));
      } else {
        const from = (<usize>need - 1) << 3;
        store<f64>(curves + at, load<f64>(rise + from));
        store<f64>(scoreCurves + at, load<f64>(scoreOf + from));
      }
    }
  }
}

/**
 * The mean of what is not -1 in `values`, of the thresholds whose bit is in `which`; summed as numpy sums. -1 when nothing
 * is left.
 * @param values `[thresholds, rows, areas, limits]`, of which the column (area and limit) is read
 * @param gathered room for as many numbers as there may be
 */
export function meanOf(values: usize, rows: i32, which: u32, column: i32, gathered: usize): f64 {
  const step = (<usize>(areas * limitCount)) << 3;
  let count = 0;
  for (let t = 0; t < thresholds; t++) {
    if ((which & (1 << t)) == 0) continue;
    let at = values + <usize>(t * rows) * step + ((<usize>column) << 3);
    for (let i = 0; i < rows; i++, at += step) {
      const value = load<f64>(at);
      if (!(value > -1)) continue;
      store<f64>(gathered + ((<usize>count) << 3), value);
      count++;
    }
  }
  return count == 0 ? -1 : pairwiseSum(gathered, count) / <f64>count;
}

/** As `pairwiseSum` of `src/match/similarity.ts`. */
function pairwiseSum(values: usize, count: i32): f64 {
  if (count > 128) {
    let half = count >> 1;
    half -= half & 7;
    return pairwiseSum(values, half) + pairwiseSum(values + ((<usize>half) << 3), count - half);
  }
  const end = values + ((<usize>count) << 3);
  if (count < 8) {
    let sum: f64 = 0;
    for (let at = values; at < end; at += 8) sum += load<f64>(at);
    return sum;
  }
  let a = v128.load(values);
  let b = v128.load(values, 16);
  let c = v128.load(values, 32);
  let d = v128.load(values, 48);
  let at = values + 64;
  for (; at + 64 <= end; at += 64) {
    a = f64x2.add(a, v128.load(at));
    b = f64x2.add(b, v128.load(at, 16));
    c = f64x2.add(c, v128.load(at, 32));
    d = f64x2.add(d, v128.load(at, 48));
  }
  let sum = both(a) + both(b) + (both(c) + both(d));
  for (; at < end; at += 8) sum += load<f64>(at);
  return sum;
}

function both(v: v128): f64 {
  return f64x2.extract_lane(v, 0) + f64x2.extract_lane(v, 1);
}

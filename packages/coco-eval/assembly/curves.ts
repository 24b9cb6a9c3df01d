// Precision and score at each recall threshold, as `src/score/accumulate.ts` has them, with the same roundings.

/**
 * Writes the curves of one category, area range and limit: `[thresholds, recalls]` doubles, `stride` bytes apart in the
 * recalls and `stride * recalls` in the thresholds, at `precision` and `scores`; the recall of each threshold at
 * `recall`, one after the other. `rows` are the n outcomes of the category (u32) in order of score.
 * @param outcomes addresses of scores f64, rank i32, matched and ignored u32 (`[row, areas]`, this area's column)
 * @param needed true positives that reach each recall threshold, f64
 * @param spare room for 2 * n * 8 bytes and 2 * n * 4 bytes
 */
export function writeCurves(
  rows: usize,
  n: i32,
  scores: usize,
  rank: usize,
  matched: usize,
  ignored: usize,
  areas: i32,
  limit: i32,
  positives: f64,
  thresholds: i32,
  needed: usize,
  recalls: i32,
  precision: usize,
  scoresOut: usize,
  stride: usize,
  recall: usize,
  spare: usize,
): void {
  const rise = spare;
  const scoreOf = rise + ((<usize>n) << 3);
  const special = scoreOf + ((<usize>n) << 3);
  const before = special + ((<usize>n) << 2);
  let kept = 0;
  let plain = 0;
  let first: i32 = -1;
  for (let i = 0; i < n; i++) {
    const row = load<u32>(rows + ((<usize>i) << 2));
    if (load<i32>(rank + ((<usize>row) << 2)) >= limit) continue;
    if (first < 0) first = row;
    const at = (<usize>row * <usize>areas) << 2;
    if ((load<u32>(matched + at) | load<u32>(ignored + at)) != 0) {
      store<u32>(special + ((<usize>kept) << 2), row);
      store<u32>(before + ((<usize>kept) << 2), plain);
      kept++;
    } else {
      plain++;
    }
  }
  const row = stride * <usize>recalls;
  for (let t = 0; t < thresholds; t++) {
    const bit: u32 = 1 << t;
    let hits = 0;
    let misses = 0;
    for (let i = 0; i < kept; i++) {
      const r = <usize>load<u32>(special + ((<usize>i) << 2));
      const at = (r * <usize>areas) << 2;
      if ((load<u32>(ignored + at) & bit) != 0) continue;
      if ((load<u32>(matched + at) & bit) == 0) {
        misses++;
        continue;
      }
      const to = (<usize>hits) << 3;
      hits++;
      const all = <f64>load<u32>(before + ((<usize>i) << 2)) + <f64>misses + <f64>hits;
      store<f64>(rise + to, <f64>hits / (all + 2.220446049250313e-16));
      store<f64>(scoreOf + to, load<f64>(scores + (r << 3)));
    }
    store<f64>(recall + ((<usize>t) << 3), first < 0 ? 0 : <f64>hits / positives);
    for (let i = hits - 1; i > 0; i--) {
      const here = rise + ((<usize>i) << 3);
      if (load<f64>(here) > load<f64>(here - 8)) store<f64>(here - 8, load<f64>(here));
    }
    let reached = first >= 0;
    for (let r = 0; r < recalls; r++) {
      const need = load<f64>(needed + ((<usize>r) << 3));
      reached = reached && need <= <f64>hits;
      const at = <usize>t * row + <usize>r * stride;
      let p: f64 = 0;
      let s: f64 = 0;
      if (reached && need == 0) {
        p = hits > 0 ? load<f64>(rise) : 0;
        s = load<f64>(scores + ((<usize>first) << 3));
      } else if (reached) {
        const from = (<usize>need - 1) << 3;
        p = load<f64>(rise + from);
        s = load<f64>(scoreOf + from);
      }
      store<f64>(precision + at, p);
      store<f64>(scoresOut + at, s);
    }
  }
}

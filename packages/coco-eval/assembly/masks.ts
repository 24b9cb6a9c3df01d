// Masks from their JSON to the ends of their runs. Fills polygons as pycocotools does; see `@rcnn/masks` for the rule.
import { readNumber, skipSpace, skipString, skipValue, valueEnd } from './json';

/** A mask in memory: where its runs are, their number, height and width (u32), area, and box x, y, width, height (f64). */
export const MASK: usize = 56;

/** Steps per pixel in which outlines are walked. */
const STEPS = 5;
const MAX_COORDINATE: f64 = 429496728.6; // 2^31 / 5 - 1
/** Up to so many turns in a column are sorted by insertion. */
const FEW: u32 = 32;

/**
 * Reads the segmentation at `text`, a polygon (whose image has the size given) or run lengths, into the mask at `mask`,
 * with its runs at `ends`, where there is room for `capacity`. `scratch` has room for as many numbers of 8 bytes, four
 * times. Gives the number of runs, or -1.
 */
export function readMask(
  text: usize,
  height: u32,
  width: u32,
  mask: usize,
  ends: usize,
  scratch: usize,
  capacity: i32,
): i32 {
  store<u32>(mask, <u32>ends);
  if (load<u8>(text) == 0x5b) {
    if (height == 0 || width == 0 || <u64>height * <u64>width > 0xffffffff) return -1;
    const runs = readPolygon(text, height, width, ends, scratch, capacity);
    return runs < 0 ? -1 : commit(mask, ends, runs, height, width);
  }
  return readRunLengths(text, mask, ends, capacity);
}

function readRunLengths(text: usize, mask: usize, ends: usize, capacity: i32): i32 {
  let height: f64 = -1;
  let width: f64 = -1;
  let counts: usize = 0;
  let p = skipSpace(text + 1);
  while (load<u8>(p) == 0x22) {
    const key = p + 1;
    p = skipString(p);
    if (p == 0) return -1;
    const length = p - key - 1;
    p = skipSpace(skipSpace(p) + 1);
    if (length == 4 && load<u32>(key) == 0x657a6973) {
      // size
      if (load<u8>(p) != 0x5b) return -1;
      height = readNumber(skipSpace(p + 1));
      if (valueEnd == 0) return -1;
      p = skipSpace(valueEnd);
      if (load<u8>(p) != 0x2c) return -1;
      width = readNumber(skipSpace(p + 1));
      if (valueEnd == 0) return -1;
      p = skipSpace(valueEnd);
      if (load<u8>(p) != 0x5d) return -1;
      p++;
    } else {
      if (length == 6 && load<u32>(key) == 0x6e756f63 && load<u16>(key, 4) == 0x7374) counts = p;
      p = skipValue(p, 0);
      if (p == 0) return -1;
    }
    p = skipSpace(p);
    if (load<u8>(p) == 0x2c) p = skipSpace(p + 1);
  }
  if (counts == 0 || !(height >= 0) || !(width >= 0) || floor(height) != height || floor(width) != width) return -1;
  if (height * width > 4294967295) return -1;
  const runs = load<u8>(counts) == 0x22 ? readString(counts + 1, ends, capacity) : readList(counts, ends, capacity);
  return runs < 0 ? -1 : commit(mask, ends, runs, <u32>height, <u32>width);
}

/** COCO's compressed counts up to the quote. */
function readString(p: usize, ends: usize, capacity: i32): i32 {
  let to = ends;
  const last = ends + ((<usize>capacity) << 2);
  const third = ends + 12;
  while (true) {
    let c = <i32>load<u8>(p++);
    if (c == 0x22) return <i32>((to - ends) >> 2);
    if (c == 0x5c && load<u8>(p++) != 0x5c) return -1;
    let group = c - 48;
    if (<u32>group > 0x3f || to >= last) return -1;
    let run: i64;
    if (group < 0x20) {
      run = <i64>((group << 27) >> 27); // five bits with their sign
    } else {
      run = <i64>(group & 0x1f);
      let shift: i64 = 5;
      do {
        c = <i32>load<u8>(p++);
        if (c == 0x5c && load<u8>(p++) != 0x5c) return -1;
        group = c - 48;
        if (<u32>group > 0x3f || shift > 30) return -1;
        run |= (<i64>(group & 0x1f)) << shift;
        shift += 5;
      } while (group >= 0x20);
      if ((group & 0x10) != 0) run |= (<i64>-1) << shift;
    }
    if (to >= third) run += <i64>load<u32>(to - 8);
    if (<u64>run > 0xffffffff) return -1; // also when negative
    store<u32>(to, <u32>run);
    to += 4;
  }
}

function readList(p: usize, ends: usize, capacity: i32): i32 {
  if (load<u8>(p) != 0x5b) return -1;
  p = skipSpace(p + 1);
  for (let runs = 0; runs < capacity; runs++) {
    const count = readNumber(p);
    if (valueEnd == 0 || !(count >= 0) || count > 4294967295 || floor(count) != count) return -1;
    store<u32>(ends + ((<usize>runs) << 2), <u32>count);
    p = skipSpace(valueEnd);
    const next = load<u8>(p);
    if (next == 0x5d) return runs + 1;
    if (next != 0x2c) return -1;
    p = skipSpace(p + 1);
  }
  return -1;
}

/** Turns the `runs` lengths at `ends` into ends, and writes what the mask is. -1 unless they cover it exactly. */
function commit(mask: usize, ends: usize, runs: i32, height: u32, width: u32): i32 {
  let left = width;
  let top = height;
  let right: i32 = -1;
  let bottom: i32 = -1;
  let area: u64 = 0;
  let position: u64 = 0;
  const pixels = <u64>height * <u64>width;
  for (let i = 0; i < runs; i += 2) {
    const at = ends + ((<usize>i) << 2);
    const first = position + load<u32>(at);
    const run: u64 = i + 1 < runs ? load<u32>(at, 4) : 0;
    position = first + run;
    if (position > pixels) return -1;
    store<u32>(at, <u32>first);
    if (i + 1 < runs) store<u32>(at, <u32>position, 4);
    if (run == 0 || height == 0) continue;
    area += run;
    const x = <u32>first / height;
    const y = <u32>first - x * height;
    if (x < left) left = x;
    if (y + <u32>run <= height) {
      right = x;
      if (y < top) top = y;
      if (<i32>(y + <u32>run) > bottom) bottom = y + <u32>run;
    } else {
      right = (<u32>position - 1) / height;
      top = 0;
      bottom = height;
    }
  }
  if (position != pixels) return -1;
  store<u32>(mask, runs, 4);
  store<u32>(mask, height, 8);
  store<u32>(mask, width, 12);
  store<f64>(mask, <f64>area, 16);
  const empty = right < 0;
  store<f64>(mask, empty ? 0 : <f64>left, 24);
  store<f64>(mask, empty ? 0 : <f64>top, 32);
  store<f64>(mask, empty ? 0 : <f64>(right - <i32>left + 1), 40);
  store<f64>(mask, empty ? 0 : <f64>(bottom - <i32>top), 48);
  return runs;
}

// Where the fill of a polygon turns: columns and rows, in the order of its edges.
let turns: i32 = 0;
let room: i32 = 0;
let columns: usize = 0;
let rows: usize = 0;

function addTurn(column: u32, row: u32): void {
  if (turns < room) {
    store<u32>(columns + ((<usize>turns) << 2), column);
    store<u32>(rows + ((<usize>turns) << 2), row);
  }
  turns++;
}

/** The run lengths of the one polygon in the list at `text`; -1 for several. */
function readPolygon(text: usize, height: u32, width: u32, ends: usize, scratch: usize, capacity: i32): i32 {
  let p = skipSpace(text + 1);
  if (load<u8>(p) != 0x5b) return -1;
  p = skipSpace(p + 1);
  let count = 0;
  while (true) {
    const value = readNumber(p);
    if (valueEnd == 0 || count >= capacity || !(abs(value) < MAX_COORDINATE)) return -1;
    store<f64>(scratch + ((<usize>count) << 3), trunc(STEPS * value + 0.5)); // C truncation: negative numbers go up
    count++;
    p = skipSpace(valueEnd);
    const next = load<u8>(p);
    p++;
    if (next == 0x5d) break;
    if (next != 0x2c) return -1;
    p = skipSpace(p);
  }
  if (load<u8>(skipSpace(p)) != 0x5d || (count & 1) != 0 || count < 6) return -1;
  columns = scratch + ((<usize>capacity) << 3);
  rows = columns + ((<usize>capacity) << 3);
  room = capacity;
  turns = 0;
  let x = load<f64>(scratch);
  let y = load<f64>(scratch, 8);
  const points = count >> 1;
  for (let i = 1; i <= points; i++) {
    const next = scratch + ((<usize>(i == points ? 0 : i)) << 4);
    const nextX = load<f64>(next);
    const nextY = load<f64>(next, 8);
    if (x != nextX) {
      if (abs(nextX - x) >= abs(nextY - y)) walkFlat(x, y, nextX, nextY, height, width);
      else walkSteep(x, y, nextX, nextY, height, width);
    }
    x = nextX;
    y = nextY;
  }
  if (turns >= room || <i32>width + 2 > capacity) return -1;
  const starts = rows + ((<usize>capacity) << 3);
  if (!sortTurns(starts, ends, height, width)) return -1;
  return lengthsOf(ends, height, width);
}

/** First and last column whose middle (step 5c + 2) an edge over steps `[low, high)` passes. */
function firstColumn(low: f64): i32 {
  return <i32>max<f64>(0, ceil((low - 2) / STEPS));
}

function lastColumn(high: f64, width: u32): i32 {
  return <i32>min<f64>(<f64>width - 1, floor((high - 3) / STEPS));
}

/** An edge that is at least as wide as high: one y for each step in x. */
function walkFlat(x0: f64, y0: f64, x1: f64, y1: f64, height: u32, width: u32): void {
  const flip = x0 > x1;
  const xs = flip ? x1 : x0;
  const xe = flip ? x0 : x1;
  const ys = flip ? y1 : y0;
  const ye = flip ? y0 : y1;
  const slope = (ye - ys) / (xe - xs);
  const last = lastColumn(xe, width);
  for (let column = firstColumn(xs); column <= last; column++) {
    const t = <f64>(STEPS * column + 2) - xs;
    const here = trunc(ys + slope * t + 0.5);
    const there = trunc(ys + slope * (t + 1) + 0.5);
    addTurn(column, toRow(min(here, there), height));
  }
}

/** An edge that is higher than wide: one x for each step in y; the step that passes the column's middle is searched. */
function walkSteep(x0: f64, y0: f64, x1: f64, y1: f64, height: u32, width: u32): void {
  const flip = y0 > y1;
  const xs = flip ? x1 : x0;
  const xe = flip ? x0 : x1;
  const ys = flip ? y1 : y0;
  const ye = flip ? y0 : y1;
  const steps = ye - ys;
  const slope = (xe - xs) / steps;
  const last = lastColumn(max(xs, xe), width);
  for (let column = firstColumn(min(xs, xe)); column <= last; column++) {
    const middle = <f64>(STEPS * column + 2);
    let t = min(steps, max<f64>(0, floor((middle + 0.5 - xs) / slope + 0.5)));
    while (t > 0 && passed(xs, slope, t - 1, middle)) t -= 1;
    while (t <= steps && !passed(xs, slope, t, middle)) t += 1;
    if (t < 1 || t > steps) continue;
    addTurn(column, toRow(t - 1 + ys, height));
  }
}

/** Whether the x of step t has passed from the middle of a column to the next grid line, or back when x falls. */
function passed(xs: f64, slope: f64, t: f64, middle: f64): bool {
  const x = trunc(xs + slope * t + 0.5);
  return slope > 0 ? x > middle : x <= middle;
}

/** From a grid step to the first row below it, kept inside the image. */
function toRow(step: f64, height: u32): u32 {
  const row = (step + 0.5) / STEPS - 0.5;
  return row < 0 ? 0 : row > <f64>height ? height : <u32>ceil(row);
}

/** Writes the positions of the turns to `out` in ascending order; false where a column has very many. */
function sortTurns(starts: usize, out: usize, height: u32, width: u32): bool {
  memory.fill(starts, 0, (<usize>width + 1) << 2);
  for (let i = 0; i < turns; i++) {
    const at = starts + ((<usize>load<u32>(columns + ((<usize>i) << 2)) + 1) << 2);
    store<u32>(at, load<u32>(at) + 1);
  }
  let sum: u32 = 0;
  let most: u32 = 0;
  for (let c: u32 = 0; c <= width; c++) {
    const at = starts + ((<usize>c) << 2);
    const count = load<u32>(at);
    most = max(most, count);
    sum += count;
    store<u32>(at, sum);
  }
  if (most > FEW) return false;
  for (let i = 0; i < turns; i++) {
    const column = load<u32>(columns + ((<usize>i) << 2));
    const place = starts + ((<usize>column) << 2);
    const to = load<u32>(place);
    store<u32>(place, to + 1);
    store<u32>(out + ((<usize>to) << 2), column * height + load<u32>(rows + ((<usize>i) << 2)));
  }
  for (let i = 1; i < turns; i++) {
    const position = load<u32>(out + ((<usize>i) << 2));
    let j = i - 1;
    while (j >= 0 && load<u32>(out + ((<usize>j) << 2)) > position) {
      store<u32>(out + ((<usize>j) << 2), load<u32>(out + ((<usize>j) << 2)), 4);
      j--;
    }
    store<u32>(out + ((<usize>(j + 1)) << 2), position);
  }
  return true;
}

/** Turns the positions at `ends` into lengths, in place. Two at one place cancel, which joins the runs around them. */
function lengthsOf(ends: usize, height: u32, width: u32): i32 {
  const total = height * width;
  const n = turns;
  if (n == 0) {
    store<u32>(ends, total);
    return 1;
  }
  let before = load<u32>(ends);
  let length = 1;
  for (let i = 1; i <= n; i++) {
    let now = i < n ? load<u32>(ends + ((<usize>i) << 2)) : total;
    const run = now - before;
    before = now;
    if (run > 0) {
      store<u32>(ends + ((<usize>length) << 2), run);
      length++;
    } else {
      i++;
      if (i > n) break;
      now = i < n ? load<u32>(ends + ((<usize>i) << 2)) : total;
      const at = ends + ((<usize>(length - 1)) << 2);
      store<u32>(at, load<u32>(at) + now - before);
      before = now;
    }
  }
  return length;
}

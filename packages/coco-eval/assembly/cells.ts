// Matches the detections of a cell (an image and a category) to its truths at every threshold and area range.
// The rules are those of `src/match/match.ts`, read there why; the order of operations is the same to the last bit.
import { MASK } from './masks';

/** COCO's crowd; one that does not count; one whose id looks like "no match". */
const CROWD: u8 = 1;
const IGNORED: u8 = 2;
const UNSEEN: u8 = 4;

let thresholds: usize = 0; // f64 each
let thresholdCount: i32 = 0; // 32 at most
let ranges: usize = 0; // min and max, f64 each
let areas: i32 = 0;
let least: f64 = 0; // the lowest similarity that any threshold accepts
let most: i32 = 0; // detections of a cell that count

export function setParams(
  thresholdsAt: usize,
  thresholdsLength: i32,
  rangesAt: usize,
  rangesLength: i32,
  maxDetections: i32,
): void {
  thresholds = thresholdsAt;
  thresholdCount = thresholdsLength;
  ranges = rangesAt;
  areas = rangesLength;
  most = maxDetections;
  least = Infinity;
  for (let t = 0; t < thresholdCount; t++) least = min(least, load<f64>(thresholds + ((<usize>t) << 3)));
}

let truthAreas: usize = 0; // f64 of each row
let truthFlags: usize = 0; // u8
let truthBoxes: usize = 0; // 4 f64
let truthOrder: usize = 0; // u32: rows cell by cell

export function setTruth(areasAt: usize, flagsAt: usize, boxesAt: usize, orderAt: usize): void {
  truthAreas = areasAt;
  truthFlags = flagsAt;
  truthBoxes = boxesAt;
  truthOrder = orderAt;
}

let scores: usize = 0;
let boxes: usize = 0;
let order: usize = 0; // u32: rows cell by cell

export function setDetections(scoresAt: usize, boxesAt: usize, orderAt: usize): void {
  scores = scoresAt;
  boxes = boxesAt;
  order = orderAt;
}

let outScores: usize = 0;
let outImage: usize = 0;
let outCategory: usize = 0;
let outRank: usize = 0;
let outMatched: usize = 0;
let outIgnored: usize = 0;
let outPositives: usize = 0;
let scratch: usize = 0; // for each truth of the largest cell 16 bytes, then its similarities
let scratchTruths: i32 = 0;
let count: i32 = 0;

/** Where outcomes go: scores f64, image, category, rank i32, matched and ignored u32 per area, positives u32. */
export function setOutcomes(
  scoresAt: usize,
  imageAt: usize,
  categoryAt: usize,
  rankAt: usize,
  matchedAt: usize,
  ignoredAt: usize,
  positivesAt: usize,
  scratchAt: usize,
  mostTruths: i32,
): void {
  outScores = scoresAt;
  outImage = imageAt;
  outCategory = categoryAt;
  outRank = rankAt;
  outMatched = matchedAt;
  outIgnored = ignoredAt;
  outPositives = positivesAt;
  scratch = scratchAt;
  scratchTruths = mostTruths;
  count = 0;
}

/** Matches `n` cells by their boxes. A cell is image, category, first and last truth, first and last detection (i32). */
export function matchBoxCells(cells: usize, n: i32): i32 {
  for (; n > 0; n--, cells += 24) {
    const truths = load<i32>(cells, 12) - load<i32>(cells, 8);
    const detections = min(load<i32>(cells, 20) - load<i32>(cells, 16), most);
    const truthRows = truthOrder + ((<usize>load<i32>(cells, 8)) << 2);
    const rows = order + ((<usize>load<i32>(cells, 16)) << 2);
    let at = similarities();
    for (let d = 0; d < detections; d++) {
      const a = boxes + ((<usize>load<u32>(rows + ((<usize>d) << 2))) << 5);
      for (let g = 0; g < truths; g++, at += 8) {
        const row = <usize>load<u32>(truthRows + ((<usize>g) << 2));
        store<f64>(at, boxIoU(a, truthBoxes + (row << 5), (load<u8>(truthFlags + row) & CROWD) != 0));
      }
    }
    for (let d = 0; d < detections; d++) {
      const a = boxes + ((<usize>load<u32>(rows + ((<usize>d) << 2))) << 5);
      store<f64>(detectionAreas(truths, detections) + ((<usize>d) << 3), load<f64>(a, 16) * load<f64>(a, 24));
    }
    matchCell(load<i32>(cells), load<i32>(cells, 4), truths, truthRows, detections, rows);
  }
  return count;
}

/** Matches the cell at `cell` by its masks, which lie one after the other at `truthMasks` and `masks`. */
export function matchMaskCell(cell: usize, truthMasks: usize, masks: usize): i32 {
  const truths = load<i32>(cell, 12) - load<i32>(cell, 8);
  const detections = min(load<i32>(cell, 20) - load<i32>(cell, 16), most);
  const truthRows = truthOrder + ((<usize>load<i32>(cell, 8)) << 2);
  let at = similarities();
  for (let d = 0; d < detections; d++) {
    const mask = masks + <usize>d * MASK;
    for (let g = 0; g < truths; g++, at += 8) {
      const row = <usize>load<u32>(truthRows + ((<usize>g) << 2));
      store<f64>(at, maskIoU(mask, truthMasks + <usize>g * MASK, (load<u8>(truthFlags + row) & CROWD) != 0));
    }
    store<f64>(detectionAreas(truths, detections) + ((<usize>d) << 3), load<f64>(mask, 16));
  }
  const rows = order + ((<usize>load<i32>(cell, 16)) << 2);
  matchCell(load<i32>(cell), load<i32>(cell, 4), truths, truthRows, detections, rows);
  return count;
}

/** `[detections, truths]`, row-major. */
function similarities(): usize {
  return scratch + ((<usize>scratchTruths) << 4);
}

function detectionAreas(truths: i32, detections: i32): usize {
  return similarities() + ((<usize>truths * <usize>detections) << 3);
}

function boxIoU(a: usize, b: usize, crowd: bool): f64 {
  const ax = load<f64>(a);
  const ay = load<f64>(a, 8);
  const aw = load<f64>(a, 16);
  const ah = load<f64>(a, 24);
  const bx = load<f64>(b);
  const by = load<f64>(b, 8);
  const bw = load<f64>(b, 16);
  const bh = load<f64>(b, 24);
  const width = min(aw + ax, bw + bx) - max(ax, bx);
  if (width <= 0) return 0;
  const height = min(ah + ay, bh + by) - max(ay, by);
  if (height <= 0) return 0;
  const shared = width * height;
  const area = aw * ah;
  return shared / (crowd ? area : area + bw * bh - shared);
}

function maskIoU(a: usize, b: usize, crowd: bool): f64 {
  const width =
    min(load<f64>(a, 40) + load<f64>(a, 24), load<f64>(b, 40) + load<f64>(b, 24)) -
    max(load<f64>(a, 24), load<f64>(b, 24));
  if (width <= 0) return 0;
  const height =
    min(load<f64>(a, 48) + load<f64>(a, 32), load<f64>(b, 48) + load<f64>(b, 32)) -
    max(load<f64>(a, 32), load<f64>(b, 32));
  if (height <= 0) return 0;
  if (load<u32>(a, 8) != load<u32>(b, 8) || load<u32>(a, 12) != load<u32>(b, 12)) return -1;
  const areaA = load<f64>(a, 16);
  const areaB = load<f64>(b, 16);
  const possible = min(min(areaA, areaB), width * height);
  if (least > 0 && possible / (crowd ? areaA : areaA + areaB - possible) < least) return 0;
  const shared = <f64>sharedPixels(load<u32>(a), load<u32>(a, 4), load<u32>(b), load<u32>(b, 4));
  return shared == 0 ? 0 : shared / (crowd ? areaA : areaA + areaB - shared);
}

/** Pixels that two masks share, given by the ends of their runs, background first. */
function sharedPixels(a: usize, aRuns: i32, b: usize, bRuns: i32): u32 {
  if (aRuns < 2 || bRuns < 2) return 0;
  let i = firstBeyond(a, aRuns, load<u32>(b));
  let j = firstBeyond(b, bRuns, load<u32>(a));
  const aEnd = a + ((<usize>aRuns) << 2);
  const bEnd = b + ((<usize>bRuns) << 2);
  if (i >= aEnd || j >= bEnd) return 0;
  let shared: u32 = 0;
  let startA = load<u32>(i - 4);
  let endA = load<u32>(i);
  let startB = load<u32>(j - 4);
  let endB = load<u32>(j);
  while (true) {
    const from = max(startA, startB);
    if (endA < endB) {
      if (endA > from) shared += endA - from;
      i += 8;
      if (i >= aEnd) return shared;
      startA = load<u32>(i - 4);
      endA = load<u32>(i);
    } else {
      if (endB > from) shared += endB - from;
      j += 8;
      if (j >= bEnd) return shared;
      startB = load<u32>(j - 4);
      endB = load<u32>(j);
    }
  }
}

/** The first object run that ends after a position, by halving. */
function firstBeyond(ends: usize, runs: i32, position: u32): usize {
  let low = 0;
  let high = runs >> 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (load<u32>(ends + ((<usize>(2 * middle + 1)) << 2)) > position) high = middle;
    else low = middle + 1;
  }
  return ends + ((<usize>(2 * low + 1)) << 2);
}

// Scratch of each truth, 16 bytes: its place in the order of matching, whether it is ignored, the thresholds at which
// it is taken, and a candidate.
const PLACE: usize = 0;
const IGNORE: usize = 4;
const TAKEN: usize = 8;
const CANDIDATE: usize = 12;

function ofTruth(g: i32): usize {
  return scratch + ((<usize>g) << 4);
}

function matchCell(image: i32, category: i32, truths: i32, truthRows: usize, detections: i32, rows: usize): void {
  const areasAt = detectionAreas(truths, detections);
  for (let d = 0; d < detections; d++) {
    const to = <usize>(count + d);
    store<f64>(outScores + (to << 3), load<f64>(scores + ((<usize>load<u32>(rows + ((<usize>d) << 2))) << 3)));
    store<i32>(outImage + (to << 2), image);
    store<i32>(outCategory + (to << 2), category);
    store<i32>(outRank + (to << 2), d);
  }
  for (let a = 0; a < areas; a++) {
    const range = ranges + ((<usize>a) << 4);
    const low = load<f64>(range);
    const high = load<f64>(range, 8);
    const positives = orderTruths(truths, truthRows, low, high);
    const total = outPositives + ((<usize>(category * areas + a)) << 2);
    store<u32>(total, load<u32>(total) + positives);
    for (let d = 0; d < detections; d++) {
      const area = load<f64>(areasAt + ((<usize>d) << 3));
      matchOne(truths, truthRows, d, area < low || area > high, (<usize>((count + d) * areas + a)) << 2);
    }
  }
  count += detections;
}

/** Puts the truths that count before the ignored ones. Gives how many count. */
function orderTruths(truths: i32, truthRows: usize, low: f64, high: f64): i32 {
  let positives = 0;
  for (let g = 0; g < truths; g++) {
    const row = <usize>load<u32>(truthRows + ((<usize>g) << 2));
    const area = load<f64>(truthAreas + (row << 3));
    const ignored = (load<u8>(truthFlags + row) & IGNORED) != 0 || area < low || area > high;
    store<u32>(ofTruth(g), <u32>ignored, IGNORE);
    store<u32>(ofTruth(g), 0, TAKEN);
    if (!ignored) store<i32>(ofTruth(positives++), g, PLACE);
  }
  let next = positives;
  for (let g = 0; g < truths; g++) if (load<u32>(ofTruth(g), IGNORE) != 0) store<i32>(ofTruth(next++), g, PLACE);
  return positives;
}

function matchOne(truths: i32, truthRows: usize, d: i32, outside: bool, out: usize): void {
  const row = similarities() + ((<usize>(d * truths)) << 3);
  let found = 0;
  let highest: f64 = 0;
  for (let i = 0; i < truths; i++) {
    const g = load<i32>(ofTruth(i), PLACE);
    const value = load<f64>(row + ((<usize>g) << 3));
    if (value < least) continue;
    store<i32>(ofTruth(found++), g, CANDIDATE);
    if (value > highest) highest = value;
  }
  let matched: u32 = 0;
  let ignored: u32 = found == 0 && outside ? 0xffffffff : 0;
  if (found > 0) {
    for (let t = 0; t < thresholdCount; t++) {
      const bit: u32 = 1 << t;
      const threshold = load<f64>(thresholds + ((<usize>t) << 3));
      const g = highest < threshold ? -1 : best(row, threshold, bit, found, truthRows);
      if (g < 0) {
        if (outside) ignored |= bit;
        continue;
      }
      const flags = load<u8>(truthFlags + <usize>load<u32>(truthRows + ((<usize>g) << 2)));
      if ((flags & UNSEEN) == 0) matched |= bit;
      else if (outside) ignored |= bit;
      if (load<u32>(ofTruth(g), IGNORE) != 0) ignored |= bit;
      store<u32>(ofTruth(g), load<u32>(ofTruth(g), TAKEN) | bit, TAKEN);
    }
  }
  store<u32>(outMatched + out, matched);
  store<u32>(outIgnored + out, ignored);
}

/** The truth that a detection takes, or -1. Of equal ones the later. */
function best(row: usize, threshold: f64, bit: u32, found: i32, truthRows: usize): i32 {
  let highest = threshold;
  let match = -1;
  for (let i = 0; i < found; i++) {
    const g = load<i32>(ofTruth(i), CANDIDATE);
    if ((load<u32>(ofTruth(g), TAKEN) & bit) != 0) {
      if ((load<u8>(truthFlags + <usize>load<u32>(truthRows + ((<usize>g) << 2))) & CROWD) == 0) continue;
    }
    if (match >= 0 && load<u32>(ofTruth(match), IGNORE) == 0 && load<u32>(ofTruth(g), IGNORE) != 0) break;
    const value = load<f64>(row + ((<usize>g) << 3));
    if (value < highest) continue;
    highest = value;
    match = g;
  }
  return match;
}

import { topK } from '@rcnn/boxes';
import type { HeadOutputs } from './head.ts';
import { type GridLevel, NOMINAL_STRIDES } from './levels.ts';
import { type MatrixNmsOptions, matrixNms, type PackedMasks, packMasks } from './matrix-nms.ts';
import { pointsNms } from './points-nms.ts';

/** How objects are chosen from what the cells say. */
export interface SelectOptions extends MatrixNmsOptions {
  /** Least score of a cell for a class, before its mask is looked at. Default 0.1, less where `scoreThreshold` is. */
  readonly cellThreshold?: number | undefined;
  /** Probability above which a cell of a map belongs to a mask, while masks are scored and compared. Default 0.5. */
  readonly pixelThreshold?: number | undefined;
  /** Masks that compete in the NMS. Default 500. */
  readonly candidates?: number | undefined;
  /** Least score of a detection, after the NMS. Default 0.05. */
  readonly scoreThreshold?: number | undefined;
  /** Most detections of an image. Default 100. */
  readonly detectionsPerImage?: number | undefined;
}

/** Objects of one image, best score first. */
export interface SelectedObjects {
  readonly scores: Float32Array;
  readonly labels: Int32Array;
  /** Probabilities, `[height * width]` each. */
  readonly masks: readonly Float32Array[];
}

/** A cell that may have an object of a class. */
interface Candidate {
  readonly level: number;
  readonly cell: number;
  readonly label: number;
  readonly score: number;
}

/** Masks that are on the host as floats at a time: at full size each has 54,000 cells. */
const AT_ONCE = 64;

/**
 * The objects of one image: cells that are no better seen by a neighbour, scored by how sure their masks are, without
 * what better masks cover.
 * @param categories of this image, per level: probabilities `[S, S, K]`
 * @see Wang et al. 2020, section 3.4 (arXiv:2003.10152)
 */
export async function selectObjects(
  outputs: HeadOutputs,
  image: number,
  categories: readonly Float32Array[],
  levels: readonly GridLevel[],
  options: SelectOptions = {},
): Promise<SelectedObjects> {
  const { scoreThreshold = 0.05, pixelThreshold = 0.5, candidates: most = 500, detectionsPerImage = 100 } = options;
  const { cellThreshold = Math.min(0.1, 2 * scoreThreshold) } = options;
  const scored = await score(outputs, image, candidatesOf(categories, levels, cellThreshold), pixelThreshold);
  const best = topK(scored.scores, most);
  const lowered = matrixNms(
    takeMasks(scored.masks, best),
    Float32Array.from(best, (i) => scored.scores[i]!),
    Int32Array.from(best, (i) => scored.candidates[i]!.label),
    options,
  );
  const kept = topK(lowered, detectionsPerImage).filter((k) => lowered[k]! >= scoreThreshold);
  const chosen = Array.from(kept, (k) => scored.candidates[best[k]!]!);
  return {
    scores: Float32Array.from(kept, (k) => lowered[k]!),
    labels: Int32Array.from(chosen, ({ label }) => label),
    masks: await softMasks(outputs, image, chosen),
  };
}

/** In the order of levels, cells and classes. */
function candidatesOf(
  categories: readonly Float32Array[],
  levels: readonly GridLevel[],
  threshold: number,
): Candidate[] {
  return categories.flatMap((scores, level) => {
    const { grid } = levels[level]!;
    const classes = scores.length / (grid * grid);
    const found: Candidate[] = [];
    pointsNms(scores, grid).forEach((value, at) => {
      if (!(value > threshold)) return;
      found.push({ level, cell: Math.floor(at / classes), label: (at % classes) + 1, score: value });
    });
    return found;
  });
}

interface Scored {
  readonly candidates: readonly Candidate[];
  readonly masks: PackedMasks;
  /** Of the cells, times how sure the mask is of its own pixels. */
  readonly scores: Float32Array;
}

/** Leaves out masks of no more cells than the stride of their level: an odd unit, but the rule that weights know. */
async function score(
  outputs: HeadOutputs,
  image: number,
  candidates: readonly Candidate[],
  threshold: number,
): Promise<Scored> {
  const kept: Candidate[] = [];
  const scores: number[] = [];
  const areas: number[] = [];
  const words: Uint32Array[] = [];
  const [height, width] = outputs.maskSizes[0]!;
  for (const part of chunks(candidates)) {
    const values = await masksOf(outputs, image, part);
    const packed = packMasks(values, part.length, threshold);
    for (const [row, candidate] of part.entries()) {
      const area = packed.areas[row]!;
      if (!(area > NOMINAL_STRIDES[candidate.level]!)) continue;
      const own = values.subarray(row * height * width, (row + 1) * height * width);
      kept.push(candidate);
      scores.push(candidate.score * (sumAbove(own, threshold) / area));
      areas.push(area);
      words.push(packed.words.slice(row * packed.wordsPerMask, (row + 1) * packed.wordsPerMask));
    }
  }
  return { candidates: kept, scores: Float32Array.from(scores), masks: joined(words, areas) };
}

function sumAbove(values: Float32Array, threshold: number): number {
  let sum = 0;
  for (const value of values) if (value > threshold) sum += value;
  return sum;
}

function joined(words: readonly Uint32Array[], areas: readonly number[]): PackedMasks {
  const wordsPerMask = words[0]?.length ?? 0;
  const all = new Uint32Array(words.length * wordsPerMask);
  for (const [i, own] of words.entries()) all.set(own, i * wordsPerMask);
  return { words: all, wordsPerMask, areas: Int32Array.from(areas) };
}

function takeMasks({ words, wordsPerMask, areas }: PackedMasks, rows: Int32Array): PackedMasks {
  const own = (row: number): Uint32Array => words.subarray(row * wordsPerMask, (row + 1) * wordsPerMask);
  return joined(
    Array.from(rows, own),
    Array.from(rows, (row) => areas[row]!),
  );
}

/** Candidates of one level at a time, not too many. */
function* chunks(candidates: readonly Candidate[]): Generator<readonly Candidate[]> {
  let from = 0;
  for (let to = 1; to <= candidates.length; to++) {
    const full = to - from === AT_ONCE;
    if (!full && to < candidates.length && candidates[to]!.level === candidates[from]!.level) continue;
    yield candidates.slice(from, to);
    from = to;
  }
}

/** Probabilities `[R, height * width]` at the size of the first level, of candidates of one level. */
async function masksOf(outputs: HeadOutputs, image: number, candidates: readonly Candidate[]): Promise<Float32Array> {
  const cells = Int32Array.from(candidates, ({ cell }) => cell);
  const masks = outputs.masks(image, candidates[0]!.level, cells, outputs.maskSizes[0]);
  try {
    return await masks.data<'float32'>();
  } finally {
    masks.dispose();
  }
}

/** In the order of the candidates. */
async function softMasks(
  outputs: HeadOutputs,
  image: number,
  candidates: readonly Candidate[],
): Promise<Float32Array[]> {
  const order = Array.from(candidates.keys()).sort((a, b) => candidates[a]!.level - candidates[b]!.level || a - b);
  const [height, width] = outputs.maskSizes[0]!;
  const masks: Float32Array[] = [];
  let done = 0;
  for (const part of chunks(order.map((i) => candidates[i]!))) {
    const values = await masksOf(outputs, image, part);
    for (const row of part.keys()) {
      masks[order[done++]!] = values.slice(row * height * width, (row + 1) * height * width);
    }
  }
  return masks;
}

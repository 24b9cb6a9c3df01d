/** Masks as bits, 32 cells to a word: `[R * words]`. */
export interface PackedMasks {
  readonly words: Uint32Array;
  readonly wordsPerMask: number;
  /** Cells of each. */
  readonly areas: Int32Array;
}

export interface MatrixNmsOptions {
  /** How much an overlap lowers a score: by a Gaussian, or by its own share. Default `gaussian`. */
  readonly kernel?: 'gaussian' | 'linear' | undefined;
  /** Of the Gaussian: `exp(-sigma iou²)`. Default 2. */
  readonly sigma?: number | undefined;
}

/**
 * Lowers the score of each mask by its overlap with better ones of its class, all at once: what covers it counts for less
 * the more it is covered itself.
 * @param masks best score first
 * @returns the lowered scores, in the same order
 * @see Wang et al. 2020, "Matrix NMS" (arXiv:2003.10152)
 */
export function matrixNms(
  masks: PackedMasks,
  scores: Float32Array,
  labels: Int32Array,
  { kernel = 'gaussian', sigma = 2 }: MatrixNmsOptions = {},
): Float32Array {
  const count = scores.length;
  const covered = new Float64Array(count); // the largest overlap with a better one
  const factors = new Float64Array(count).fill(1);
  const above: { index: number; iou: number }[] = [];
  for (let j = 0; j < count; j++) {
    above.length = 0;
    for (let i = 0; i < j; i++) {
      if (labels[i] !== labels[j]) continue;
      const iou = iouOf(masks, i, j);
      above.push({ index: i, iou });
      covered[j] = Math.max(covered[j]!, iou);
    }
    for (const { index, iou } of above) {
      const lowered = kernel === 'gaussian' ? gaussian(iou, covered[index]!, sigma) : linear(iou, covered[index]!);
      factors[j] = Math.min(factors[j]!, lowered);
    }
  }
  return scores.map((score, j) => score * factors[j]!);
}

function gaussian(iou: number, covered: number, sigma: number): number {
  return Math.exp(-sigma * iou * iou) / Math.exp(-sigma * covered * covered);
}

/** A mask that is covered whole lowers nothing: its equal before it already does, and this would be 0 / 0. */
function linear(iou: number, covered: number): number {
  return covered >= 1 ? 1 : (1 - iou) / (1 - covered);
}

function iouOf({ words, wordsPerMask, areas }: PackedMasks, i: number, j: number): number {
  let shared = 0;
  const [a, b] = [i * wordsPerMask, j * wordsPerMask];
  for (let k = 0; k < wordsPerMask; k++) {
    const word = words[a + k]! & words[b + k]!;
    if (word !== 0) shared += bitsIn(word);
  }
  const either = areas[i]! + areas[j]! - shared;
  return either === 0 ? 0 : shared / either;
}

/** Bits set in a word: sums of pairs, of fours, of bytes. */
function bitsIn(word: number): number {
  let v = word - ((word >>> 1) & 0x55555555);
  v = (v & 0x33333333) + ((v >>> 2) & 0x33333333);
  return Math.imul((v + (v >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/** Masks from values above a threshold. @param values `[R, cells]` */
export function packMasks(values: ArrayLike<number>, count: number, threshold: number): PackedMasks {
  const cells = count === 0 ? 0 : values.length / count;
  const wordsPerMask = Math.ceil(cells / 32);
  const words = new Uint32Array(count * wordsPerMask);
  const areas = new Int32Array(count);
  for (let r = 0, at = 0; r < count; r++) {
    const start = r * wordsPerMask;
    for (let cell = 0; cell < cells; cell++, at++) {
      if (!(values[at]! > threshold)) continue;
      words[start + (cell >>> 5)]! |= 1 << (cell & 31);
      areas[r]!++;
    }
  }
  return { words, wordsPerMask, areas };
}

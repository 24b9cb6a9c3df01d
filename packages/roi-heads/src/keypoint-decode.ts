import { bicubicResize } from './bicubic.ts';

/**
 * What the score of a key point is. `logit`: the logit at its place, torchvision's; it has no bounds and says little
 * about certainty. `peak`: `1 / sum of exp(logit - highest)` over the heatmap, detectron2's; near 1 when one place stands
 * out (a single sharp peak can come out a little above 1).
 */
export type KeypointScore = 'logit' | 'peak';

/**
 * The place of each key point: the highest pixel of its heatmap, stretched over its region; the first of equals.
 * @param heatmaps logits `[R * K * size * size]`
 * @param boxes `[R * 4]`
 * @param size cells on a side
 * @returns `[R * K * 3]`: x, y, score
 * @see He et al. 2017, section 5 (arXiv:1703.06870)
 */
export function decodeKeypoints(
  heatmaps: Float32Array,
  boxes: Float32Array,
  size: number,
  score: KeypointScore = 'logit',
): Float32Array {
  const regions = boxes.length / 4;
  const cells = size * size;
  const points = regions === 0 ? 0 : heatmaps.length / cells / regions;
  const found = new Float32Array(regions * points * 3);
  for (let at = 0; at < regions * points; at++) {
    const box = 4 * Math.floor(at / points);
    const across = stretch(boxes[box]!, boxes[box + 2]!);
    const down = stretch(boxes[box + 1]!, boxes[box + 3]!);
    const map = heatmaps.subarray(at * cells, (at + 1) * cells);
    const pixels = bicubicResize(map, [size, size], [down.pixels, across.pixels]);
    const best = indexOfHighest(pixels);
    found[3 * at] = placeOf(best % across.pixels, across);
    found[3 * at + 1] = placeOf(Math.floor(best / across.pixels), down);
    found[3 * at + 2] = score === 'logit' ? pixels[best]! : peakOf(map, pixels[best]!);
  }
  return found;
}

/** One axis of a region: its start, and how many pixels of which length cover it. */
interface Stretch {
  readonly low: number;
  readonly pixels: number;
  readonly pixel: number;
}

/** An axis shorter than a pixel, or reversed, is taken for one pixel. */
function stretch(low: number, high: number): Stretch {
  const length = Math.max(Math.fround(high - low), 1);
  const pixels = Math.ceil(length);
  return { low, pixels, pixel: Math.fround(length / pixels) };
}

function placeOf(index: number, { low, pixel }: Stretch): number {
  return Math.fround(Math.fround((index + 0.5) * pixel) + low);
}

function indexOfHighest(values: Float32Array): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i]! > values[best]!) best = i;
  return best;
}

function peakOf(logits: Float32Array, highest: number): number {
  let sum = 0;
  for (const logit of logits) sum += Math.exp(logit - highest);
  return 1 / sum;
}

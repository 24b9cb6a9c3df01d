import { gridPoints, repeatPoints } from './place-points.ts';
import { mostUncertain } from './uncertain.ts';

/** Gives a logit for each point of each region: `[R * P * 2]`, 0 to 1 of the box, to `[R * P]`. */
export type AskPoints = (points: Float32Array) => Promise<Float32Array>;

export interface SubdivisionOptions {
  /** Cells on a side of the coarse mask. */
  readonly side: number;
  /** How often the mask is doubled. Default 5. */
  readonly steps?: number | undefined;
  /** Points of a region that are asked again after each doubling. Default 784. */
  readonly points?: number | undefined;
}

/**
 * Masks that are drawn like a picture being rendered: each step doubles them by interpolation and asks again only where
 * they are unsure. Doublings in which every cell would be asked are passed over, so 7x7 begins at 28x28.
 * @param regions how many
 * @returns logits `[R * side * side]` and their side
 * @see Kirillov et al. 2020, section 3.1 and figure 4 (arXiv:1912.08193)
 */
export async function subdivide(
  regions: number,
  ask: AskPoints,
  { side: coarse, steps = 5, points = 784 }: SubdivisionOptions,
): Promise<{ readonly logits: Float32Array; readonly side: number }> {
  let [side, left] = [coarse, steps];
  while (left > 0 && 4 * side * side <= points) {
    side *= 2;
    left--;
  }
  let logits = await ask(repeatPoints(gridPoints(side), regions));
  for (; left > 0; left--) {
    logits = doubled(logits, side);
    side *= 2;
    const count = Math.min(points, side * side);
    const grid = gridPoints(side);
    const cells = new Int32Array(regions * count);
    const asked = new Float32Array(regions * count * 2);
    for (let r = 0; r < regions; r++) {
      const ofRegion = logits.subarray(r * side * side, (r + 1) * side * side);
      cells.set(mostUncertain(ofRegion, count), r * count);
    }
    for (const [i, cell] of cells.entries()) asked.set(grid.subarray(2 * cell, 2 * cell + 2), 2 * i);
    const answers = await ask(asked);
    for (const [i, cell] of cells.entries()) logits[Math.floor(i / count) * side * side + cell] = answers[i]!;
  }
  return { logits, side };
}

/** Maps `[R * side * side]` at twice the side: bilinear, half-pixel centers, clamped. */
export function doubled(maps: Float32Array, side: number): Float32Array {
  const wide = 2 * side;
  const count = maps.length / (side * side);
  const result = new Float32Array(4 * maps.length);
  for (let r = 0; r < count; r++) {
    const map = maps.subarray(r * side * side, (r + 1) * side * side);
    for (let y = 0; y < wide; y++) {
      const [above, below] = neighbors(y, side);
      for (let x = 0; x < wide; x++) {
        const [before, after] = neighbors(x, side);
        // The nearer cell counts three quarters, as in both directions.
        const near = 0.75 * map[above * side + before]! + 0.25 * map[above * side + after]!;
        const far = 0.75 * map[below * side + before]! + 0.25 * map[below * side + after]!;
        result[(r * wide + y) * wide + x] = 0.75 * near + 0.25 * far;
      }
    }
  }
  return result;
}

/** Of a cell of the doubled map: the cell that it lies in, and the nearest other one. */
function neighbors(place: number, side: number): readonly [near: number, far: number] {
  const near = place >> 1;
  const far = place % 2 === 0 ? near - 1 : near + 1;
  return [near, Math.min(side - 1, Math.max(0, far))];
}

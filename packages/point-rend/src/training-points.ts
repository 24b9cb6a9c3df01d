import type { Random } from '@rcnn/core';
import { sampleValues } from './sample-points.ts';
import { mostUncertain } from './uncertain.ts';

/** How the points on which the point head learns are drawn. */
export interface TrainingPointsOptions {
  /** Points of a region. Default 196. */
  readonly points?: number | undefined;
  /** So many times as many are drawn to choose from. Default 3. */
  readonly oversample?: number | undefined;
  /** Share of the points that are chosen where the coarse mask is unsure; the others are anywhere. Default 0.75. */
  readonly importance?: number | undefined;
}

/** Gives `count` numbers from 0 to 1: x, y of points. */
export type DrawPoints = (count: number) => Float32Array;

/** Draws points evenly over the box from a seeded stream: `[count]` numbers of 0 to 1. */
export const drawFrom =
  (random: Random): DrawPoints =>
  (count) =>
    Float32Array.from({ length: count }, () => random.uniform(0, 1));

/**
 * The points of each region to learn from, `[R * P * 2]` in 0 to 1 of the box: first those where the coarse mask is
 * least sure, then some from anywhere.
 * @param coarse logits of each region's own class, `[R * side * side]`
 * @see Kirillov et al. 2020, section 3.1 (arXiv:1912.08193)
 */
export function trainingPoints(
  coarse: Float32Array,
  side: number,
  draw: DrawPoints,
  { points = 196, oversample = 3, importance = 0.75 }: TrainingPointsOptions = {},
): Float32Array {
  const regions = coarse.length / (side * side);
  const poolSize = points * oversample;
  const chosen = Math.floor(points * importance);
  const pool = draw(regions * poolSize * 2);
  const rest = draw(regions * (points - chosen) * 2);
  const result = new Float32Array(regions * points * 2);
  for (let r = 0; r < regions; r++) {
    const ofRegion = pool.subarray(r * poolSize * 2, (r + 1) * poolSize * 2);
    const places = ofRegion.map((share) => share * side - 0.5);
    const logits = sampleValues(coarse.subarray(r * side * side, (r + 1) * side * side), [side, side], places);
    let at = r * points * 2;
    for (const point of mostUncertain(logits, chosen)) {
      result[at++] = ofRegion[2 * point]!;
      result[at++] = ofRegion[2 * point + 1]!;
    }
    result.set(rest.subarray(r * (points - chosen) * 2, (r + 1) * (points - chosen) * 2), at);
  }
  return result;
}

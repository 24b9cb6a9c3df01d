/** What two trainings have in common, as numbers. */
import type { MetricsLine } from '@rcnn/train';

/** Steps that a running mean looks back on: samplers differ, so single steps say little. */
export const WINDOW = 50;

/** Steps in which the curves should lie together. */
const TOGETHER = 200;

/** A point of a curve. */
export type Point = readonly [step: number, value: number];

/** The mean of the last {@link WINDOW} total losses, from the step on that has so many behind it. */
export function smoothedLoss(lines: readonly MetricsLine[]): Point[] {
  const losses = lines.filter(({ kind }) => kind === 'step').map(({ step, loss }): Point => [step, Number(loss)]);
  return losses.flatMap(([step], i) => {
    if (i + 1 < WINDOW) return [];
    const near = losses.slice(i + 1 - WINDOW, i + 1);
    return [[step, near.reduce((sum, [, value]) => sum + value, 0) / WINDOW] as const];
  });
}

/** How far the smoothed curves are apart. */
export interface Distance {
  /** Steps that were compared: the first {@link TOGETHER} that both have. */
  readonly upTo: number;
  /** Of the second from the first, as a share of the second: largest, mean, and at the last step. */
  readonly largest: number;
  readonly mean: number;
  readonly last: number;
}

/** Undefined when there are fewer steps than the running mean takes. */
export function distance(ours: readonly MetricsLine[], theirs: readonly MetricsLine[]): Distance | undefined {
  const other = new Map(smoothedLoss(theirs));
  const pairs = smoothedLoss(ours).filter(([step]) => step <= TOGETHER && other.has(step));
  if (pairs.length === 0) return undefined;
  const shares = pairs.map(([step, value]) => value / other.get(step)! - 1);
  const absolute = shares.map(Math.abs);
  return {
    upTo: pairs.at(-1)![0],
    largest: Math.max(...absolute),
    mean: absolute.reduce((sum, share) => sum + share, 0) / absolute.length,
    last: shares.at(-1)!,
  };
}

/** AP after each evaluation. */
export function scoresOf(lines: readonly MetricsLine[], name: string): Point[] {
  return lines
    .filter((line) => line.kind === 'epoch' && name in line)
    .map((line): Point => [line.step, Number(line[name])]);
}

/** Of the steps; the middle one when there are none in between. */
export function medianStepTime(lines: readonly MetricsLine[]): number {
  const times = lines.filter(({ kind }) => kind === 'step').map(({ stepTime }) => Number(stepTime));
  return times.toSorted((a, b) => a - b)[times.length >> 1] ?? Number.NaN;
}

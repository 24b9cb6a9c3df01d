import { type FeatureSpec, type Pyramid, RcnnError, resizeBilinear } from '@rcnn/core';
import * as tf from '@tensorflow/tfjs-core';

/** One level of the heads: its grid, and the objects that it answers for. */
export interface GridLevel {
  /** Cells on each side of the grid. */
  readonly grid: number;
  /** Square root of the area of a box, in pixels of the batch, from and to; both ends belong to it. */
  readonly range: readonly [from: number, to: number];
}

/** The published levels: an object lives on up to two of them. @see Wang et al. 2019 (arXiv:1912.04488), table 3 */
export const LEVELS: readonly GridLevel[] = [
  { grid: 40, range: [1, 96] },
  { grid: 36, range: [48, 192] },
  { grid: 24, range: [96, 384] },
  { grid: 16, range: [192, 768] },
  { grid: 12, range: [384, 2048] },
];

/** Levels from two lists of one length. @throws INVALID_ARGUMENT */
export function gridLevels(
  grids: readonly number[],
  ranges: readonly (readonly [from: number, to: number])[],
): GridLevel[] {
  if (grids.length !== ranges.length || grids.length !== LEVELS.length) {
    throw new RcnnError('INVALID_ARGUMENT', {
      where: 'gridLevels',
      problem: 'each level of the pyramid needs a grid and a range of sizes',
      found: `${grids.length} grids, ${ranges.length} ranges`,
      expected: `${LEVELS.length} of each`,
    });
  }
  return grids.map((grid, i) => ({ grid, range: ranges[i]! }));
}

/** Pixels that a cell of each level's features nominally spans: what the rule of the smallest area counts in. */
export const NOMINAL_STRIDES: readonly number[] = [8, 8, 16, 32, 32];

/**
 * The maps that the heads look at, from P2 to P6: P2 at half its size, P6 at the size of P5. The caller owns them.
 */
export function headMaps(features: Pyramid): tf.Tensor4D[] {
  return tf.tidy(() =>
    features.map((map, level) => {
      if (level === 0) return resizeBilinear(map, sizeOf(features[1]!));
      return level === features.length - 1 ? resizeBilinear(map, sizeOf(features[level - 1]!)) : tf.clone(map);
    }),
  );
}

/** @throws INVALID_ARGUMENT */
export function checkPyramid(where: string, outputs: readonly FeatureSpec[]): void {
  const strides = outputs.map(({ stride }) => stride).join();
  const channels = new Set(outputs.map((output) => output.channels));
  if (strides === '4,8,16,32,64' && channels.size === 1) return;
  throw new RcnnError('INVALID_ARGUMENT', {
    where,
    place: 'outputs',
    problem: 'not the pyramid that these heads are made for',
    found: `strides ${strides}, ${[...channels].join(' or ')} channels`,
    expected: 'P2 to P6, of strides 4, 8, 16, 32 and 64 and one number of channels',
    hint: 'An FPN on a ResNet with poolExtra is one.',
  });
}

/** `[H, W]` of a map. */
export function sizeOf({ shape }: tf.Tensor4D): [height: number, width: number] {
  return [shape[1], shape[2]];
}

import { RcnnError } from '@rcnn/core';
import * as tf from '@tensorflow/tfjs-core';
import { visitTaps } from './align-in-js.ts';
import type { PlacedRoIs } from './placed-rois.ts';
import { placeOnOneMap, roundHalfAway } from './roi-align.ts';
import { multiplySparse, type SparseRows, transposeSparse } from './sparse-rows.ts';

export interface PSRoIPoolOptions {
  /** Bins per side, k; each reads score maps of its own. R-FCN has 7. */
  readonly bins: number;
  /** Pixels times this are cells of the map. Default 1. */
  readonly spatialScale?: number | undefined;
  /**
   * Where a RoI begins and ends. `torchvision` rounds its corners to cells and never reads the map's last row and
   * column; `caffe` is the rule of the paper's authors, which weights trained with their code expect. Default
   * `torchvision`.
   */
  readonly rule?: 'torchvision' | 'caffe' | undefined;
  /**
   * `exact`: the gradient of what was computed. `torchvision`: what its backward pass gives, for comparing trainings; it
   * spreads over the last row and column too, which its forward pass never reads. Default `exact`.
   */
  readonly backward?: 'exact' | 'torchvision' | undefined;
}

export interface PSRoIAlignOptions {
  /** Bins per side, k. */
  readonly bins: number;
  /** Pixels times this are cells of the map. Default 1. */
  readonly spatialScale?: number | undefined;
  /** Sample points per bin and axis; 0 (adaptive) takes `ceil(RoI size / bins)`. Default 0. */
  readonly samplingRatio?: number | undefined;
}

/**
 * Position-sensitive RoI pooling: bin (i, j) of output channel c is the mean of the cells under it in score map
 * `(c * k + i) * k + j`. `[N, H, W, C * k * k]` to `[R, k, k, C]`. An empty bin is 0. The gradient goes to the features.
 * @param rois `[R * 5]`: index of the image, `x1, y1, x2, y2` in pixels; none is a normal value
 * @see Dai et al. 2016, section 2 and figure 1 (arXiv:1605.06409)
 * @throws SHAPE_MISMATCH, INVALID_ARGUMENT, NON_FINITE
 */
export function psRoIPool(
  features: tf.Tensor4D,
  rois: Float32Array,
  { bins, spatialScale = 1, rule = 'torchvision', backward = 'exact' }: PSRoIPoolOptions,
): tf.Tensor4D {
  const binRule = { torchvision: roundedBin, caffe: exactBin }[rule];
  if (binRule === undefined) {
    throw invalid('psRoIPool', 'rule', 'no such rule', rule, "'torchvision' or 'caffe'");
  }
  const [, height, width] = features.shape;
  const means = (ofBin: BinRule): VisitCells => meanOfCells([height, width], bins, spatialScale, ofBin);
  const forward = means(binRule);
  const asThere = backward === 'torchvision' && rule === 'torchvision';
  return poolPositions('psRoIPool', features, rois, bins, forward, asThere ? means(roundedBinOfBackward) : forward);
}

/** Every bin as the mean of its cells. */
function meanOfCells(
  [height, width]: readonly [number, number],
  bins: number,
  scale: number,
  ofBin: BinRule,
): VisitCells {
  return ({ count, boxes, images }, visit) => {
    for (let r = 0; r < count; r++) {
      const [x1, y1, x2, y2] = boxes.subarray(r * 4, r * 4 + 4) as unknown as [number, number, number, number];
      const origin = images[r]! * height * width;
      for (let i = 0; i < bins; i++) {
        const [top, bottom] = ofBin(y1, y2, scale, i, bins, height);
        for (let j = 0; j < bins; j++) {
          const [left, right] = ofBin(x1, x2, scale, j, bins, width);
          const share = 1 / ((bottom - top) * (right - left));
          for (let y = top; y < bottom; y++) {
            for (let x = left; x < right; x++) visit(origin + y * width + x, (r * bins + i) * bins + j, share);
          }
        }
      }
    }
  };
}

/**
 * Position-sensitive RoIAlign: as {@link psRoIPool}, but reading each bin by bilinear interpolation, without rounding,
 * half a cell before the centers. `[N, H, W, C * k * k]` to `[R, k, k, C]`.
 *
 * Differs from torchvision where a RoI has no size and the sampling is adaptive: 0 instead of NaN.
 * @param rois `[R * 5]`: index of the image, `x1, y1, x2, y2` in pixels; none is a normal value
 * @throws SHAPE_MISMATCH, INVALID_ARGUMENT, NON_FINITE
 */
export function psRoIAlign(
  features: tf.Tensor4D,
  rois: Float32Array,
  { bins, spatialScale = 1, samplingRatio = 0 }: PSRoIAlignOptions,
): tf.Tensor4D {
  if (!(Number.isInteger(samplingRatio) && samplingRatio >= 0)) {
    throw invalid('psRoIAlign', 'samplingRatio', 'not usable', String(samplingRatio), 'a whole number, 0 for adaptive');
  }
  const [, height, width] = features.shape;
  const shape = { height: bins, width: bins, samplingRatio, aligned: true };
  return poolPositions('psRoIAlign', features, rois, bins, (placed, visit) =>
    visitTaps([{ height, width, scale: spatialScale }], placed, shape, (_level, cell, bin, weight) =>
      visit(cell, bin, weight),
    ),
  );
}

/** Calls `visit` for every cell that a bin reads, bins in order: `cell` counts over the batch, `bin` over all RoIs. */
type VisitCells = (placed: PlacedRoIs, visit: (cell: number, bin: number, weight: number) => void) => void;

/**
 * Both pools are the same sparse matrix product: a row for each bin of each RoI, a column for each cell of each
 * position's maps. Plain ops, so they run on every engine; backward multiplies by the transpose.
 */
function poolPositions(
  where: string,
  features: tf.Tensor4D,
  rois: Float32Array,
  bins: number,
  visitCells: VisitCells,
  visitBackward: VisitCells = visitCells,
): tf.Tensor4D {
  const [images, height, width, inChannels] = features.shape;
  const positions = bins * bins;
  if (!(Number.isInteger(bins) && bins >= 1)) {
    throw invalid(where, 'bins', 'not usable', String(bins), 'a whole number of 1 or more');
  }
  if (inChannels % positions !== 0) {
    throw new RcnnError('SHAPE_MISMATCH', {
      where,
      problem: 'the score maps do not divide among the bins',
      found: `${inChannels} channels for ${bins}x${bins} bins`,
      expected: `a multiple of ${positions}`,
    });
  }
  const placed = placeOnOneMap(where, rois, images);
  const wrong = placed.boxes.findIndex((value) => !Number.isFinite(value));
  if (wrong >= 0) {
    throw new RcnnError('NON_FINITE', {
      where,
      place: `RoI ${Math.floor(wrong / 4)}`,
      problem: 'a box with a coordinate that is no number',
      found: String(placed.boxes[wrong]),
    });
  }
  const channels = inChannels / positions;
  const cells = images * height * width;
  const matrix = binMatrix(placed, bins, cells, visitCells);
  const op = tf.customGrad(() => {
    const value = tf.tidy(() => {
      const byPosition = tf.transpose(tf.reshape(features, [cells, channels, positions]), [2, 0, 1]);
      const pooled = multiplySparse(matrix, tf.reshape(byPosition, [positions * cells, channels]));
      return tf.reshape(pooled, [placed.count, bins, bins, channels]);
    });
    const gradFunc = (dy: tf.Tensor): tf.Tensor =>
      tf.tidy(() => {
        const back = visitBackward === visitCells ? matrix : binMatrix(placed, bins, cells, visitBackward);
        const byPosition = multiplySparse(transposeSparse(back), tf.reshape(dy, [matrix.rows, channels]));
        const byCell = tf.transpose(tf.reshape(byPosition, [positions, cells, channels]), [1, 2, 0]);
        return tf.reshape(byCell, features.shape);
      });
    return { value, gradFunc };
  });
  return op(features) as tf.Tensor4D;
}

/** How every bin (rows) reads every cell of its own position's maps (columns): position after position. */
function binMatrix(placed: PlacedRoIs, bins: number, cells: number, visitCells: VisitCells): SparseRows {
  const positions = bins * bins;
  const rows = placed.count * positions;
  const starts = new Int32Array(rows + 1);
  visitCells(placed, (_cell, bin) => {
    starts[bin + 1]!++;
  });
  for (let i = 0; i < rows; i++) starts[i + 1]! += starts[i]!;
  const indices = new Int32Array(starts[rows]!);
  const weights = new Float32Array(starts[rows]!);
  let at = 0; // bins are visited in order
  visitCells(placed, (cell, bin, weight) => {
    indices[at] = (bin % positions) * cells + cell;
    weights[at++] = weight;
  });
  return { rows, columns: positions * cells, starts, indices, weights };
}

/** The cells [from, to) of bin `i` along one axis of `extent` cells. */
type BinRule = (
  low: number,
  high: number,
  scale: number,
  i: number,
  bins: number,
  extent: number,
) => readonly [from: number, to: number];

/** torchvision's forward pass: corners rounded half away from zero, cells clamped to [0, extent - 1]. */
const roundedBin: BinRule = (low, high, scale, i, bins, extent) =>
  roundedBinOfBackward(low, high, scale, i, bins, extent - 1);

/** Its backward pass: the same, clamped to [0, extent]. */
const roundedBinOfBackward: BinRule = (low, high, scale, i, bins, last) => {
  const factor = Math.fround(scale);
  const start = roundHalfAway(Math.fround(low * factor));
  const end = roundHalfAway(Math.fround(high * factor));
  const length = Math.fround(Math.max(end - start, 1) / bins);
  const inside = (cell: number): number => Math.min(Math.max(cell + start, 0), last);
  return [inside(Math.floor(Math.fround(i * length))), inside(Math.ceil(Math.fround((i + 1) * length)))];
};

/** The authors' rule: pixels rounded, the RoI one pixel longer, its corners left between cells. */
const exactBin: BinRule = (low, high, scale, i, bins, extent) => {
  const factor = Math.fround(scale);
  const start = Math.fround(roundHalfAway(low) * factor);
  const end = Math.fround((roundHalfAway(high) + 1) * factor);
  const length = Math.fround(Math.max(Math.fround(end - start), Math.fround(0.1)) / bins);
  const inside = (cell: number): number => Math.min(Math.max(cell, 0), extent);
  const at = (edge: number): number => Math.fround(Math.fround(edge * length) + start);
  return [inside(Math.floor(at(i))), inside(Math.ceil(at(i + 1)))];
};

function invalid(where: string, place: string, problem: string, found: string, expected: string): RcnnError {
  return new RcnnError('INVALID_ARGUMENT', { where, place, problem, found, expected });
}

import type { DetectionMask, ImageSize, RunLengths } from '@rcnn/core';
import { RcnnError } from '@rcnn/core/errors';
import { decodeRows } from '../forms/bitmap.ts';
import { polygonsFromRuns } from '../forms/contours.ts';
import { Turns } from '../forms/reshape.ts';
import { checkMaskSize, runsToString } from '../runs/runs.ts';
import { type AxisSamples, detectron2Axis, torchvisionAxis } from './paste-axis.ts';

/**
 * How a soft mask is laid into its box.
 * - `torchvision`: padded by one cell, the box grown by the same share and cut to whole pixels, then resized; a pixel
 *   is object above the threshold.
 * - `detectron2`: sampled at pixel centres of the box as it is; a pixel is object at or above the threshold.
 */
export type PasteMode = 'torchvision' | 'detectron2';

export interface PasteOptions {
  /** Probability that makes a pixel object. Default 0.5. */
  readonly threshold?: number;
  /** Default `torchvision`. */
  readonly mode?: PasteMode;
}

/**
 * Lays the mask that a mask head gave for one detection over the image. Nothing is computed until a form is asked for,
 * and run lengths are made column by column without a dense image.
 * @param soft probabilities, row-major, `[M * M]` (28 x 28 in Mask R-CNN); kept, not copied
 * @param box `x1, y1, x2, y2` in pixels of the image
 * @param imageSize `[height, width]` in pixels
 * @throws SHAPE_MISMATCH, BOX_DEGENERATE, INVALID_ARGUMENT
 * @see He et al. 2017, section 3.1 (arXiv:1703.06870); torchvision's roi_heads.py, detectron2's mask_ops.py
 */
export function pasteMask(
  soft: Float32Array,
  box: ArrayLike<number>,
  imageSize: ImageSize,
  { threshold = 0.5, mode = 'torchvision' }: PasteOptions = {},
): DetectionMask {
  checkMaskSize(imageSize, 'pasteMask');
  const side = Math.round(Math.sqrt(soft.length));
  if (side * side !== soft.length || side === 0) {
    throw new RcnnError('SHAPE_MISMATCH', {
      where: 'pasteMask',
      problem: 'a soft mask is square',
      found: `${soft.length} values`,
      expected: 'M * M values, such as 28 * 28',
    });
  }
  for (let i = 0; i < 4; i++) {
    if (!Number.isFinite(box[i])) {
      throw new RcnnError('BOX_DEGENERATE', {
        where: 'pasteMask',
        problem: 'the box must have four finite numbers',
        found: `[${Array.from(box).join(', ')}]`,
      });
    }
  }
  if (!Number.isFinite(threshold)) {
    throw new RcnnError('INVALID_ARGUMENT', {
      where: 'pasteMask',
      problem: 'the threshold must be finite',
      found: String(threshold),
    });
  }
  return new PastedMask(soft, side, [box[0]!, box[1]!, box[2]!, box[3]!], imageSize, threshold, mode);
}

/** A soft mask and its place; every form is computed from these when asked for. */
class PastedMask implements DetectionMask {
  readonly size: ImageSize;
  readonly #cells: Float32Array; // [side, side]
  readonly #side: number;
  readonly #box: readonly [number, number, number, number];
  readonly #threshold: number;
  readonly #mode: PasteMode;

  constructor(
    soft: Float32Array,
    side: number,
    box: readonly [number, number, number, number],
    size: ImageSize,
    threshold: number,
    mode: PasteMode,
  ) {
    this.size = [size[0], size[1]];
    this.#cells = soft;
    this.#side = side;
    this.#box = box;
    this.#threshold = threshold;
    this.#mode = mode;
  }

  soft(): Float32Array {
    const { rows, columns } = this.#axes();
    const [height, width] = this.size;
    const image = new Float32Array(height * width);
    const profile = new Float32Array(this.#side + 2);
    for (let x = columns.start; x < columns.end; x++) {
      this.#profile(columns, x, profile);
      for (let y = rows.start; y < rows.end; y++) image[y * width + x] = valueAt(profile, rows, y - rows.start);
    }
    return image;
  }

  runLengths(): RunLengths {
    const { rows, columns } = this.#axes();
    const height = this.size[0];
    const turns = new Turns();
    const profile = new Float32Array(this.#side + 2);
    const above = this.#mode === 'torchvision' ? nextAbove(this.#threshold) : this.#threshold; // value >= above
    if (above <= 0) return this.#everywhere(above);
    for (let x = columns.start; x < columns.end; x++) {
      this.#profile(columns, x, profile);
      addColumn(turns, profile, rows, above, x * height);
    }
    return turns.toRuns(this.size);
  }

  bitmap(): Uint8Array {
    return decodeRows(this.runLengths());
  }

  rle(): { size: [number, number]; counts: string } {
    return { size: [this.size[0], this.size[1]], counts: runsToString(this.runLengths()) };
  }

  polygons(): number[][] {
    return polygonsFromRuns(this.runLengths());
  }

  #axes(): { rows: AxisSamples; columns: AxisSamples } {
    const [x1, y1, x2, y2] = this.#box;
    const axis = this.#mode === 'torchvision' ? torchvisionAxis : detectron2Axis;
    return { rows: axis(y1, y2, this.#side, this.size[0]), columns: axis(x1, x2, this.#side, this.size[1]) };
  }

  /** The soft mask interpolated along x at one pixel column: one value per framed row; the frame's own are 0. */
  #profile(columns: AxisSamples, x: number, profile: Float32Array): void {
    const side = this.#side;
    const i = x - columns.start;
    const near = columns.cells[i]! - 1; // cell of the soft mask; -1 and side are the frame
    const weight = columns.weights[i]!;
    const rest = Math.fround(1 - weight);
    for (let row = 0; row < side; row++) {
      const left = near >= 0 && near < side ? this.#cells[row * side + near]! : 0;
      const right = near + 1 < side ? this.#cells[row * side + near + 1]! : 0;
      profile[row + 1] = Math.fround(left * rest) + Math.fround(right * weight);
    }
  }

  /** A threshold at or below 0 takes the whole image in, where no mask was pasted too. */
  #everywhere(above: number): RunLengths {
    const [height, width] = this.size;
    const soft = this.soft();
    const turns = new Turns();
    for (let x = 0; x < width; x++) {
      for (let y = 0; y < height; y++) {
        if (soft[y * width + x]! >= above) turns.add(x * height + y, x * height + y + 1);
      }
    }
    return turns.toRuns(this.size);
  }
}

/** The smallest float32 above a threshold, so that "above it" is one comparison. */
function nextAbove(threshold: number): number {
  const single = new Float32Array([threshold]);
  if (single[0]! > threshold) return single[0]!;
  if (single[0] === 0) return 2 ** -149;
  const bits = new Int32Array(single.buffer);
  bits[0]! += single[0]! > 0 ? 1 : -1;
  return single[0]!;
}

function valueAt(profile: Float32Array, rows: AxisSamples, i: number): number {
  const cell = rows.cells[i]!;
  const weight = rows.weights[i]!;
  return Math.fround(Math.fround(profile[cell]! * Math.fround(1 - weight)) + Math.fround(profile[cell + 1]! * weight));
}

/** Rounding can carry an interpolated value past its two ends by no more than this share. */
const SLACK = 1e-6;

/**
 * Adds the runs of one column. Between two cells the value lies between theirs, so where both are clearly on one side
 * of the threshold no pixel is looked at; only cells that the outline crosses are computed pixel by pixel.
 */
function addColumn(turns: Turns, profile: Float32Array, rows: AxisSamples, above: number, offset: number): void {
  const { segments } = rows;
  const sure = above * (1 + SLACK);
  const never = above * (1 - SLACK);
  for (let s = 0; s + 1 < segments.length; s++) {
    const first = segments[s]!;
    const last = segments[s + 1]!;
    const cell = rows.cells[first]!;
    const a = profile[cell]!;
    const b = profile[cell + 1]!;
    if (a < never && b < never) continue;
    const y = offset + rows.start;
    if (a > sure && b > sure) {
      turns.add(y + first, y + last);
      continue;
    }
    for (let i = first; i < last; i++) if (valueAt(profile, rows, i) >= above) turns.add(y + i, y + i + 1);
  }
}

import type { ImageSize } from '@rcnn/core';

/** A mask as it was drawn: row-major bits. It may be smaller than the batch; what lies beyond it is background. */
export interface Bitmap {
  readonly bits: Uint8Array;
  /** `[height, width]` in pixels. */
  readonly size: ImageSize;
}

/** Mean of the indices of a mask's pixels, `[y, x]`, without half a pixel; undefined for a mask without pixels. */
export function centerOfMass({ bits, size: [height, width] }: Bitmap): [y: number, x: number] | undefined {
  let [count, ySum, xSum] = [0, 0, 0];
  for (let y = 0; y < height; y++) {
    let inRow = 0;
    for (let x = 0, at = y * width; x < width; x++, at++) {
      if (bits[at] === 0) continue;
      inRow++;
      xSum += x;
    }
    count += inRow;
    ySum += inRow * y;
  }
  return count === 0 ? undefined : [ySum / count, xSum / count];
}

/**
 * A mask at the size of a map of the heads, as OpenCV shrinks bits: bilinear, half rounds up. Where the size is divided
 * evenly, this asks the middle 2x2 of each cell whether two or more are set.
 * @param covers the size of the batch, which the map spans
 */
export function shrinkMask(
  { bits, size: [rows, columns] }: Bitmap,
  [height, width]: ImageSize,
  covers: ImageSize,
): Uint8Array {
  const down = axis(covers[0], height);
  const across = axis(covers[1], width);
  const bit = (y: number, x: number): number => (y < rows && x < columns && bits[y * columns + x] !== 0 ? 1 : 0);
  const out = new Uint8Array(height * width);
  for (let y = 0, at = 0; y < height; y++) {
    const [top, lower] = [down.low[y]!, down.weight[y]!];
    const bottom = Math.min(top + 1, covers[0] - 1);
    for (let x = 0; x < width; x++, at++) {
      const [left, further] = [across.low[x]!, across.weight[x]!];
      const right = Math.min(left + 1, covers[1] - 1);
      const upper = (1 - further) * bit(top, left) + further * bit(top, right);
      const under = (1 - further) * bit(bottom, left) + further * bit(bottom, right);
      if ((1 - lower) * upper + lower * under >= 0.5) out[at] = 1;
    }
  }
  return out;
}

function axis(from: number, to: number): { low: Int32Array; weight: Float64Array } {
  const low = new Int32Array(to);
  const weight = new Float64Array(to);
  for (let i = 0; i < to; i++) {
    const source = Math.max(0, ((i + 0.5) * from) / to - 0.5);
    low[i] = Math.min(Math.floor(source), from - 1);
    weight[i] = source - low[i]!;
  }
  return { low, weight };
}

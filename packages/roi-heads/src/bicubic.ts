/** Which four cells of a line make each cell of a longer or shorter one, and how much of each. */
export interface Taps {
  /** `[size * 4]` */
  readonly cells: Int32Array;
  /** `[size * 4]`; the four of a cell sum to 1. */
  readonly weights: Float32Array;
}

const A = -0.75; // PyTorch's and OpenCV's

/**
 * Bicubic interpolation of a line of `from` cells to one of `to` cells: half-pixel centers, cells beyond the ends are
 * those at the ends, no antialias when it shrinks.
 * @see Keys 1981, "Cubic convolution interpolation for digital image processing"
 */
export function bicubicTaps(from: number, to: number): Taps {
  const cells = new Int32Array(to * 4);
  const weights = new Float32Array(to * 4);
  const scale = Math.fround(from / to);
  for (let i = 0; i < to; i++) {
    const center = Math.fround(Math.fround(scale * (i + 0.5)) - 0.5);
    const first = Math.floor(center);
    const t = Math.fround(center - first);
    for (let k = 0; k < 4; k++) {
      cells[4 * i + k] = Math.min(Math.max(first - 1 + k, 0), from - 1);
      weights[4 * i + k] = cubic(Math.abs(t + 1 - k));
    }
  }
  return { cells, weights };
}

/** Keys' kernel at a distance of 0 to 2 cells. */
function cubic(x: number): number {
  if (x <= 1) return ((A + 2) * x - (A + 3)) * x * x + 1;
  return ((A * x - 5 * A) * x + 8 * A) * x - 4 * A;
}

/** `map` `[height * width]` at another size, row-major. Every cell is float32, so cells that are equal stay equal. */
export function bicubicResize(
  map: Float32Array,
  [height, width]: readonly [height: number, width: number],
  [newHeight, newWidth]: readonly [height: number, width: number],
): Float32Array {
  const across = resizeRows(map, width, bicubicTaps(width, newWidth));
  const { cells, weights } = bicubicTaps(height, newHeight);
  const resized = new Float32Array(newHeight * newWidth);
  for (let y = 0, at = 0; y < newHeight; y++) {
    const [a, b, c, d] = [0, 1, 2, 3].map((k) => cells[4 * y + k]! * newWidth) as [number, number, number, number];
    const [wa, wb, wc, wd] = weights.subarray(4 * y, 4 * y + 4) as unknown as [number, number, number, number];
    for (let x = 0; x < newWidth; x++, at++) {
      resized[at] = wa * across[a + x]! + wb * across[b + x]! + wc * across[c + x]! + wd * across[d + x]!;
    }
  }
  return resized;
}

function resizeRows(map: Float32Array, width: number, { cells, weights }: Taps): Float32Array {
  const newWidth = cells.length / 4;
  const rows = map.length / width;
  const resized = new Float32Array(rows * newWidth);
  for (let y = 0, at = 0; y < rows; y++) {
    const row = y * width;
    for (let t = 0; t < cells.length; t += 4, at++) {
      resized[at] =
        weights[t]! * map[row + cells[t]!]! +
        weights[t + 1]! * map[row + cells[t + 1]!]! +
        weights[t + 2]! * map[row + cells[t + 2]!]! +
        weights[t + 3]! * map[row + cells[t + 3]!]!;
    }
  }
  return resized;
}

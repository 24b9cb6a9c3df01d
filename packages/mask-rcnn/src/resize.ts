/** For each new cell of one axis: the two old cells it lies between, and how far it is towards the second. */
export interface ResizeAxis {
  readonly low: Int32Array;
  readonly high: Int32Array;
  readonly weight: Float32Array;
}

/**
 * Bilinear sampling with half-pixel centres, no antialias (PyTorch's `align_corners=False`). The positions are
 * computed in float32, as PyTorch does: in doubles, far cells move by up to 1e-4 of a pixel.
 */
export function resizeAxis(oldSize: number, newSize: number): ResizeAxis {
  const step = Math.fround(oldSize / newSize);
  const low = new Int32Array(newSize);
  const high = new Int32Array(newSize);
  const weight = new Float32Array(newSize);
  for (let i = 0; i < newSize; i++) {
    const source = Math.max(0, Math.fround(Math.fround(step * Math.fround(i + 0.5)) - 0.5));
    const floor = Math.min(Math.floor(source), oldSize - 1);
    low[i] = floor;
    high[i] = Math.min(floor + 1, oldSize - 1);
    weight[i] = Math.fround(source - floor);
  }
  return { low, high, weight };
}

/** Nearest-neighbour sampling of a row-major bitmap: `source = floor(target * old / new)`, as PyTorch. */
export function resizeBitmap(
  bitmap: Uint8Array,
  [oldHeight, oldWidth]: readonly [number, number],
  [height, width]: readonly [number, number],
): Uint8Array {
  const columns = nearestAxis(oldWidth, width);
  const out = new Uint8Array(height * width);
  for (const [y, row] of nearestAxis(oldHeight, height).entries()) {
    const from = row * oldWidth;
    for (let x = 0; x < width; x++) out[y * width + x] = bitmap[from + columns[x]!]!;
  }
  return out;
}

function nearestAxis(oldSize: number, newSize: number): Int32Array {
  const step = Math.fround(oldSize / newSize);
  return Int32Array.from({ length: newSize }, (_, i) => Math.min(oldSize - 1, Math.floor(Math.fround(i * step))));
}

import type { MapShape, Maps, PlacedRoIs, RoIAlignShape } from './placed-rois.ts';
import { type AxisTaps, axisSpan, fillTaps, makeTaps, tapsPerBin } from './taps.ts';

/**
 * Reads RoIs off maps in plain JavaScript: for mask targets, which have one channel, and where WebAssembly SIMD is
 * missing. `values[level]` is `[N * height * width * C]`; adds to `result`, `[R * h * w * C]`, which is all 0.
 */
export function alignForward(
  values: readonly Float32Array[],
  { shapes, channels }: Maps,
  rois: PlacedRoIs,
  shape: RoIAlignShape,
  result: Float32Array,
): void {
  visitTaps(shapes, rois, shape, (level, cell, bin, weight) => {
    const map = values[level]!;
    const from = cell * channels;
    const to = bin * channels;
    for (let c = 0; c < channels; c++) result[to + c]! += weight * map[from + c]!;
  });
}

/** The gradient of {@link alignForward} by its maps, added to `results`, which are all 0. */
export function alignBackward(
  gradient: Float32Array,
  { shapes, channels }: Maps,
  rois: PlacedRoIs,
  shape: RoIAlignShape,
  results: readonly Float32Array[],
): void {
  visitTaps(shapes, rois, shape, (level, cell, bin, weight) => {
    const map = results[level]!;
    const to = cell * channels;
    const from = bin * channels;
    for (let c = 0; c < channels; c++) map[to + c]! += weight * gradient[from + c]!;
  });
}

/** Calls `visit` for every tap of every bin: `cell` counts over the level's batch, `bin` over all RoIs' bins. */
export function visitTaps(
  shapes: readonly MapShape[],
  rois: PlacedRoIs,
  shape: RoIAlignShape,
  visit: (level: number, cell: number, bin: number, weight: number) => void,
): void {
  for (let r = 0; r < rois.count; r++) {
    const level = rois.levels[r]!;
    const { height, width, scale } = shapes[level]!;
    const [x1, y1, x2, y2] = rois.boxes.subarray(r * 4, r * 4 + 4) as unknown as [number, number, number, number];
    const rows = tapsOf(y1, y2, scale, shape.height, height, shape);
    const columns = tapsOf(x1, x2, scale, shape.width, width, shape);
    const origin = rois.images[r]! * height * width;
    let bin = r * shape.height * shape.width;
    for (let i = 0; i < shape.height; i++) {
      for (let j = 0; j < shape.width; j++, bin++) {
        for (let y = rows.starts[i]!; y < rows.starts[i + 1]!; y++) {
          for (let x = columns.starts[j]!; x < columns.starts[j + 1]!; x++) {
            const cell = origin + rows.cells[y]! * width + columns.cells[x]!;
            visit(level, cell, bin, rows.weights[y]! * columns.weights[x]!);
          }
        }
      }
    }
  }
}

function tapsOf(
  low: number,
  high: number,
  scale: number,
  bins: number,
  extent: number,
  options: RoIAlignShape,
): AxisTaps {
  const span = axisSpan(low, high, scale, bins, options);
  const taps = makeTaps(bins, bins * tapsPerBin(span.samples, extent));
  fillTaps(taps, span, bins, extent);
  return taps;
}

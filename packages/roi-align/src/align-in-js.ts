import type { MapShape, PlacedRoIs, RoIAlignShape } from './placed-rois.ts';
import { type AxisTaps, axisSpan, fillTaps, makeTaps, tapsPerBin } from './taps.ts';

/** RoIAlign on arrays: `maps[level]` is `[N * height * width * C]`. Gives `[R * h * w * C]`. */
export function alignForward(
  maps: readonly Float32Array[],
  shapes: readonly MapShape[],
  channels: number,
  rois: PlacedRoIs,
  shape: RoIAlignShape,
): Float32Array {
  const result = new Float32Array(rois.count * shape.height * shape.width * channels);
  visitTaps(shapes, rois, shape, (level, cell, bin, weight) => {
    const map = maps[level]!;
    const from = cell * channels;
    const to = bin * channels;
    for (let c = 0; c < channels; c++) result[to + c]! += weight * map[from + c]!;
  });
  return result;
}

/** The gradient of {@link alignForward} by its maps: one array per level. */
export function alignBackward(
  gradient: Float32Array,
  shapes: readonly MapShape[],
  images: number,
  channels: number,
  rois: PlacedRoIs,
  shape: RoIAlignShape,
): Float32Array[] {
  const maps = shapes.map(({ height, width }) => new Float32Array(images * height * width * channels));
  visitTaps(shapes, rois, shape, (level, cell, bin, weight) => {
    const map = maps[level]!;
    const to = cell * channels;
    const from = bin * channels;
    for (let c = 0; c < channels; c++) map[to + c]! += weight * gradient[from + c]!;
  });
  return maps;
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

import type { RandomCase } from './random-case.ts';

/**
 * RoIAlign and its gradient in float64, straight from the definition: one sample point after the other, four corners
 * each. Knows nothing of taps.
 */
export function reference({ maps, values, rois, shape, gradient }: RandomCase): {
  output: Float64Array;
  gradients: Float64Array[];
} {
  const { channels } = maps;
  const output = new Float64Array(gradient.length);
  const gradients = values.map((map) => new Float64Array(map.length));
  for (let r = 0; r < rois.count; r++) {
    const level = rois.levels[r]!;
    const { height, width, scale } = maps.shapes[level]!;
    const offset = shape.aligned ? 0.5 : 0;
    const [x1, y1, x2, y2] = Array.from(rois.boxes.subarray(r * 4, r * 4 + 4), (v) => v * scale - offset) as Box;
    const side = (length: number): number => (shape.aligned ? length : Math.max(length, 1));
    const binH = side(y2 - y1) / shape.height;
    const binW = side(x2 - x1) / shape.width;
    const rows = shape.samplingRatio || Math.max(0, Math.ceil(binH));
    const columns = shape.samplingRatio || Math.max(0, Math.ceil(binW));
    for (let bin = 0; bin < shape.height * shape.width; bin++) {
      const [i, j] = [Math.floor(bin / shape.width), bin % shape.width];
      for (let sample = 0; sample < rows * columns; sample++) {
        const y = y1 + (i + (Math.floor(sample / columns) + 0.5) / rows) * binH;
        const x = x1 + (j + ((sample % columns) + 0.5) / columns) * binW;
        for (const [cell, weight] of corners(y, x, height, width)) {
          const from = (rois.images[r]! * height * width + cell) * channels;
          const to = (r * shape.height * shape.width + bin) * channels;
          for (let c = 0; c < channels; c++) {
            output[to + c]! += (weight / (rows * columns)) * values[level]![from + c]!;
            gradients[level]![from + c]! += (weight / (rows * columns)) * gradient[to + c]!;
          }
        }
      }
    }
  }
  return { output, gradients };
}

type Box = [number, number, number, number];

/** The cells around a point and their weights; none for a point that is far outside. */
function corners(y: number, x: number, height: number, width: number): [cell: number, weight: number][] {
  if (y < -1 || y > height || x < -1 || x > width) return [];
  const [top, bottom, dy] = between(y, height);
  const [left, right, dx] = between(x, width);
  return [
    [top * width + left, (1 - dy) * (1 - dx)],
    [top * width + right, (1 - dy) * dx],
    [bottom * width + left, dy * (1 - dx)],
    [bottom * width + right, dy * dx],
  ];
}

function between(at: number, extent: number): [low: number, high: number, rest: number] {
  const inside = Math.min(Math.max(at, 0), extent - 1);
  const low = Math.floor(inside);
  return [low, Math.min(low + 1, extent - 1), inside - low];
}

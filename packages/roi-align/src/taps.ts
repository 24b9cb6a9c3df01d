const { ceil, floor, fround } = Math;

/**
 * How the bins of a RoI read one axis of a map. Bilinear interpolation is separable, so a bin's value is
 * `sum over y taps, x taps of weightY * weightX * map[cellY, cellX]`. Samples that share a cell share a tap.
 * Bin `b` owns the taps `starts[b]` to `starts[b + 1]`.
 */
export interface AxisTaps {
  readonly starts: Int32Array;
  readonly cells: Int32Array;
  readonly weights: Float32Array;
}

/** One axis of a RoI, in cells of its map. */
export interface AxisSpan {
  readonly start: number;
  readonly length: number;
  /** Samples per bin. */
  readonly samples: number;
}

export interface SamplingOptions {
  /** Sample points per bin and axis; 0 takes one per cell, `ceil(RoI size / output size)`. */
  readonly samplingRatio: number;
  /** Whether coordinates are those of cell corners, half a cell before the centres. */
  readonly aligned: boolean;
}

/**
 * The span of a RoI side on a map. Not aligned, it is at least one cell long. Float32 throughout, as the reference,
 * because a sample just outside the map counts as nothing.
 */
export function axisSpan(
  low: number,
  high: number,
  scale: number,
  bins: number,
  { samplingRatio, aligned }: SamplingOptions,
): AxisSpan {
  const offset = aligned ? 0.5 : 0;
  const factor = fround(scale);
  const start = fround(fround(low * factor) - offset);
  const end = fround(fround(high * factor) - offset);
  const size = fround(end - start);
  const length = aligned ? size : Math.max(size, 1);
  return { start, length, samples: samplingRatio > 0 ? samplingRatio : ceil(fround(length / bins)) };
}

/** The most taps that {@link fillTaps} gives one bin: two cells per sample, or every cell (twice if it runs back). */
export function tapsPerBin(samples: number, extent: number): number {
  return samples > 0 ? 2 * Math.min(samples, extent) : 0; // NaN samples: none
}

/** Room for the taps of `bins` bins. */
export function makeTaps(bins: number, capacity: number): AxisTaps {
  return {
    starts: new Int32Array(bins + 1),
    cells: new Int32Array(capacity),
    weights: new Float32Array(capacity),
  };
}

/**
 * Writes the taps of a span over a map axis of `extent` cells. A sample before -1 or after `extent` is dropped but
 * counts in the mean; nearer ones are pulled to the border cell.
 */
export function fillTaps(taps: AxisTaps, { start, length, samples }: AxisSpan, bins: number, extent: number): void {
  const { starts, cells, weights } = taps;
  const binLength = fround(length / bins);
  let used = 0;
  for (let bin = 0; bin < bins; bin++) {
    const first = used;
    starts[bin] = first;
    const binStart = fround(start + fround(bin * binLength));
    for (let i = 0; i < samples; i++) {
      const at = fround(binStart + fround(fround((i + 0.5) * binLength) / samples));
      if (!(at >= -1 && at <= extent)) continue;
      const inside = at <= 0 ? 0 : at;
      const below = floor(inside);
      const low = below >= extent - 1 ? extent - 1 : below;
      const rest = below >= extent - 1 ? 0 : fround(inside - below);
      // Samples ascend, so a cell that has a tap already is one of the last two.
      if (used > first && cells[used - 1] === low) weights[used - 1]! += (1 - rest) / samples;
      else if (used > first + 1 && cells[used - 2] === low) weights[used - 2]! += (1 - rest) / samples;
      else {
        cells[used] = low;
        weights[used++] = (1 - rest) / samples;
      }
      if (rest === 0) continue;
      if (cells[used - 1] === low + 1) weights[used - 1]! += rest / samples;
      else {
        cells[used] = low + 1;
        weights[used++] = rest / samples;
      }
    }
  }
  starts[bins] = used;
}

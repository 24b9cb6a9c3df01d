import type { ImageSize, PixelImage } from '@rcnn/core';

/** Dark to bright, each step about as far for the eye: matplotlib's inferno at five places. */
const HEAT: readonly (readonly [number, number, number])[] = [
  [0, 0, 4],
  [87, 16, 110],
  [188, 55, 84],
  [249, 142, 9],
  [252, 255, 164],
];

/** The color of a value in [0, 1]. */
function heat(value: number, channel: number): number {
  const at = Math.min(1, Math.max(0, value)) * (HEAT.length - 1);
  const low = Math.min(HEAT.length - 2, Math.floor(at));
  return HEAT[low]![channel]! + (HEAT[low + 1]![channel]! - HEAT[low]![channel]!) * (at - low);
}

/** A map of one number per cell. */
export interface CellMap {
  /** Row-major. */
  readonly values: Float32Array;
  readonly size: ImageSize;
}

/** Mean size of the channels of each cell: what a map `[1, H, W, C]` answers to, whatever each channel means. */
export function strengths(data: Float32Array, size: ImageSize, channels: number): CellMap {
  const values = new Float32Array(size[0] * size[1]);
  for (let cell = 0; cell < values.length; cell++) {
    let sum = 0;
    for (let c = 0; c < channels; c++) sum += Math.abs(data[cell * channels + c]!);
    values[cell] = sum / channels;
  }
  return { values, size };
}

/** The value of the cell that each pixel of a picture lies in. */
function valueAt({ values, size }: CellMap, row: number, column: number, [height, width]: ImageSize): number {
  const y = Math.min(size[0] - 1, Math.floor((row * size[0]) / height));
  const x = Math.min(size[1] - 1, Math.floor((column * size[1]) / width));
  return values[y * size[1] + x]!;
}

/**
 * A map as colors, from its least to its largest value unless a range is given, enlarged without smoothing: cells stay
 * visible.
 */
export function heatPicture(
  map: CellMap,
  [height, width]: ImageSize,
  [low, high]: readonly [low: number, high: number] = rangeOf(map.values),
): PixelImage {
  const data = new Uint8Array(height * width * 3);
  for (let row = 0, at = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const value = (valueAt(map, row, column, [height, width]) - low) / (high - low || 1);
      for (let c = 0; c < 3; c++) data[at++] = heat(value, c);
    }
  }
  return { data, height, width, channels: 3 };
}

/** An image in gray under maps of values in [0, 1]: of several, the largest is shown. */
export function heatOver({ data: pixels, height, width }: PixelImage, maps: readonly CellMap[]): PixelImage {
  const data = new Uint8Array(height * width * 3);
  for (let row = 0, at = 0; row < height; row++) {
    for (let column = 0; column < width; column++, at += 3) {
      const gray = (pixels[at]! + pixels[at + 1]! + pixels[at + 2]!) / 3;
      const value = Math.max(...maps.map((map) => valueAt(map, row, column, [height, width])));
      for (let c = 0; c < 3; c++) data[at + c] = 0.35 * gray + 0.65 * heat(value, c);
    }
  }
  return { data, height, width, channels: 3 };
}

/** Maps of one size side by side, each as colors of its own range unless one is given for all. */
export function tiles(maps: readonly CellMap[], range?: readonly [low: number, high: number]): PixelImage {
  const across = Math.ceil(Math.sqrt(maps.length));
  const [rows, columns] = maps[0]!.size;
  const zoom = Math.max(1, Math.floor(240 / (across * columns)));
  const gap = 4;
  const height = Math.ceil(maps.length / across) * (rows * zoom + gap) - gap;
  const width = across * (columns * zoom + gap) - gap;
  const data = new Uint8Array(height * width * 3).fill(255);
  maps.forEach((map, i) => {
    const tile = heatPicture(map, [rows * zoom, columns * zoom], range);
    const top = Math.floor(i / across) * (rows * zoom + gap);
    const left = (i % across) * (columns * zoom + gap);
    for (let row = 0; row < tile.height; row++) {
      const line = tile.data.subarray(row * tile.width * 3, (row + 1) * tile.width * 3);
      data.set(line, ((top + row) * width + left) * 3);
    }
  });
  return { data, height, width, channels: 3 };
}

/** Numbers of any range as a picture `[H, W, 3]`: what a network sees after the mean was taken away. */
export function stretched(values: Float32Array, [height, width]: ImageSize): PixelImage {
  const [low, high] = rangeOf(values);
  const data = Uint8Array.from(values, (value) => Math.round((255 * (value - low)) / (high - low || 1)));
  return { data, height, width, channels: 3 };
}

function rangeOf(values: Float32Array): readonly [low: number, high: number] {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return [low, high];
}

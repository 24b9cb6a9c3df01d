import type { PixelImage } from '@rcnn/core';
import { RcnnError } from '@rcnn/core/errors';
import type { Context2D } from './canvas.ts';

/** The size of the canvas for an image drawn at `scale`: at least one pixel. */
export function scaledSize(
  image: { readonly height: number; readonly width: number },
  scale: number,
): [number, number] {
  return [Math.max(1, Math.round(image.height * scale)), Math.max(1, Math.round(image.width * scale))];
}

/**
 * Draws an image at the canvas' origin, `scale` times its size: bilinear when it grows, the mean of the covered
 * pixels when it shrinks. Done by hand so that Node and browsers give the same picture.
 */
export function drawImage(context: Context2D, image: PixelImage, scale = 1): void {
  checkImage(image);
  const [height, width] = scaledSize(image, scale);
  const pixels = context.createImageData(width, height);
  const rows = axisWeights(image.height, height);
  const columns = axisWeights(image.width, width);
  const unit = image.data instanceof Float32Array ? 255 : 1;
  for (let row = 0, at = 0; row < height; row++) {
    for (let column = 0; column < width; column++, at += 4) {
      writeMean(pixels.data, at, image, rows, row, columns, column, unit);
    }
  }
  context.putImageData(pixels, 0, 0);
}

/** Source pixels that make up each target pixel of one axis: `first[i] … first[i] + weights[i].length - 1`. */
interface AxisWeights {
  readonly first: Int32Array;
  readonly weights: readonly Float64Array[];
}

/** Triangle filter, half-pixel centres; its width grows with the reduction, as in Pillow's bilinear resize. */
function axisWeights(from: number, to: number): AxisWeights {
  const step = from / to;
  const support = Math.max(1, step);
  const first = new Int32Array(to);
  const weights: Float64Array[] = [];
  for (let i = 0; i < to; i++) {
    const centre = (i + 0.5) * step;
    const low = Math.max(0, Math.trunc(centre - support + 0.5));
    const high = Math.min(from, Math.trunc(centre + support + 0.5));
    const line = Float64Array.from({ length: Math.max(1, high - low) }, (_, k) =>
      Math.max(0, 1 - Math.abs((low + k + 0.5 - centre) / support)),
    );
    const sum = line.reduce((total, weight) => total + weight, 0);
    first[i] = low;
    weights.push(sum > 0 ? line.map((weight) => weight / sum) : line.fill(1 / line.length));
  }
  return { first, weights };
}

function writeMean(
  out: Uint8ClampedArray,
  at: number,
  { data, width }: PixelImage,
  rows: AxisWeights,
  row: number,
  columns: AxisWeights,
  column: number,
  unit: number,
): void {
  let red = 0;
  let green = 0;
  let blue = 0;
  const down = rows.weights[row]!;
  const across = columns.weights[column]!;
  for (let v = 0; v < down.length; v++) {
    let from = ((rows.first[row]! + v) * width + columns.first[column]!) * 3;
    for (let h = 0; h < across.length; h++, from += 3) {
      const weight = down[v]! * across[h]!;
      red += weight * data[from]!;
      green += weight * data[from + 1]!;
      blue += weight * data[from + 2]!;
    }
  }
  out[at] = red * unit; // Uint8ClampedArray rounds and clamps
  out[at + 1] = green * unit;
  out[at + 2] = blue * unit;
  out[at + 3] = 255;
}

function checkImage({ data, height, width }: PixelImage): void {
  if (height >= 1 && width >= 1 && data.length === height * width * 3) return;
  throw new RcnnError('IMAGE_INVALID', {
    where: 'drawImage',
    problem: 'the image has no pixels, or not as many as its size says',
    found: `${data.length} values for ${height}x${width}`,
    expected: `${height * width * 3} values (height * width * 3)`,
  });
}

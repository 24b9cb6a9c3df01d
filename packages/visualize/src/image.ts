import type { PixelImage } from '@rcnn/core';
import { RcnnError } from '@rcnn/core/errors';
import { type AxisWeights, triangleWeights } from '@rcnn/core/triangle-filter';
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
  const rows = triangleWeights(image.height, height);
  const columns = triangleWeights(image.width, width);
  const unit = image.data instanceof Float32Array ? 255 : 1;
  for (let row = 0, at = 0; row < height; row++) {
    for (let column = 0; column < width; column++, at += 4) {
      writeMean(pixels.data, at, image, rows, row, columns, column, unit);
    }
  }
  context.putImageData(pixels, 0, 0);
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
  for (let v = 0; v < rows.taps[row]!; v++) {
    const down = rows.values[row * rows.stride + v]!;
    let from = ((rows.first[row]! + v) * width + columns.first[column]!) * 3;
    for (let h = 0; h < columns.taps[column]!; h++, from += 3) {
      const weight = down * columns.values[column * columns.stride + h]!;
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

import type { ImageSize } from '@rcnn/core';
import * as tf from '@tensorflow/tfjs-core';
import type { HostImage } from './images.ts';
import type { Normalization } from './normalization.ts';
import type { Placement } from './placement.ts';
import { type ResizeAxis, resizeAxis } from './resize.ts';
import type { ImageBatch } from './transform.ts';

/**
 * A batch of images, each at its place: normalized, resized (bilinear, half-pixel centers, no antialias), zeros around
 * it. Works on the host and writes each pixel once, straight into the batch.
 */
export function layOut(
  images: readonly HostImage[],
  placements: readonly Placement[],
  paddedSize: ImageSize,
  normalization: Normalization,
): ImageBatch {
  const [height, width] = paddedSize;
  const pixels = new Float32Array(images.length * height * width * 3);
  for (const [i, image] of images.entries()) {
    const part = pixels.subarray(i * height * width * 3, (i + 1) * height * width * 3);
    writeImage(image, placements[i]!, part, width, normalization);
  }
  return { images: tf.tensor4d(pixels, [images.length, height, width, 3]), paddedSize, placements };
}

function writeImage(
  { data, scale, size: [oldHeight, oldWidth] }: HostImage,
  { resizedSize: [height, width], offset: [top, left] }: Placement,
  out: Float32Array,
  outWidth: number,
  { mean, std, channelOrder }: Normalization,
): void {
  const rows = resizeAxis(oldHeight, height);
  const columns = resizeAxis(oldWidth, width);
  // Normalizing is affine and the resize weights sum to 1, so it may as well come last: one pass, no copy.
  const gain = std.map((s) => scale / s);
  const shift = mean.map((m, c) => -m / std[c]!);
  const channels = channelOrder === 'rgb' ? [0, 1, 2] : [2, 1, 0];
  for (let y = 0; y < height; y++) {
    const upper = rows.low[y]! * oldWidth * 3;
    const lower = rows.high[y]! * oldWidth * 3;
    const at = ((y + top) * outWidth + left) * 3;
    blendRow(data, upper, lower, rows.weight[y]!, columns, channels, gain, shift, out, at);
  }
}

function blendRow(
  data: ArrayLike<number>,
  upper: number,
  lower: number,
  down: number,
  { low, high, weight }: ResizeAxis,
  channels: readonly number[],
  gain: readonly number[],
  shift: readonly number[],
  out: Float32Array,
  at: number,
): void {
  for (let x = 0; x < low.length; x++) {
    const left = low[x]! * 3;
    const right = high[x]! * 3;
    const across = weight[x]!;
    for (let c = 0; c < 3; c++) {
      const from = channels[c]!;
      const top = (1 - across) * data[upper + left + from]! + across * data[upper + right + from]!;
      const bottom = (1 - across) * data[lower + left + from]! + across * data[lower + right + from]!;
      out[at + x * 3 + c] = ((1 - down) * top + down * bottom) * gain[c]! + shift[c]!;
    }
  }
}

import { type ImageInput, type ImageSize, type PixelImage, RcnnError } from '@rcnn/core';
import * as tf from '@tensorflow/tfjs-core';

/** An image on the host, checked: rows from the top, `RGB RGB …`; `data[i] * scale` is in [0, 1]. */
export interface HostImage {
  readonly data: Uint8Array | Uint8ClampedArray | Float32Array;
  readonly size: ImageSize;
  readonly scale: number;
}

/** Float pixels above this are surely on the 0–255 scale; augmentation may leave [0, 1] by a little. */
const SURELY_NOT_UNIT = 2;

/**
 * Reads and checks images. One road for tensors and host pixels, so that both give the same numbers and bad values
 * are found before any arithmetic (several engines lose NaN on the way: see `tf.clipByValue`, `tf.maxPool`).
 * @throws IMAGE_INVALID naming the image and the pixel; INVALID_ARGUMENT without images
 */
export async function readImages(where: string, images: readonly ImageInput[]): Promise<HostImage[]> {
  if (images.length === 0) {
    throw new RcnnError('INVALID_ARGUMENT', {
      where,
      place: 'images',
      problem: 'there is no image',
      hint: 'Pass a list of one image or more.',
    });
  }
  return Promise.all(images.map((image, i) => readImage(where, `images[${i}]`, image)));
}

async function readImage(where: string, place: string, image: ImageInput): Promise<HostImage> {
  const host = image instanceof tf.Tensor ? await readTensor(where, place, image) : readPixels(where, place, image);
  if (host.data instanceof Float32Array) checkValues(where, place, host.data, host.size[1]);
  return host;
}

async function readTensor(where: string, place: string, image: tf.Tensor): Promise<HostImage> {
  const [height = 0, width = 0, channels = 0] = image.shape;
  if (image.shape.length !== 3 || channels !== 3 || height < 1 || width < 1) {
    throw invalid(where, place, 'not an RGB image', `shape [${image.shape.join(',')}]`, '[height, width, 3]');
  }
  if (image.dtype !== 'float32') {
    throw invalid(where, place, 'wrong type', image.dtype, 'float32 in [0, 1]', 'Divide 0–255 pixels by 255.');
  }
  return { data: (await image.data()) as Float32Array, size: [height, width], scale: 1 };
}

function readPixels(where: string, place: string, image: PixelImage): HostImage {
  const { data, height, width, channels } = image;
  if (channels !== 3) throw invalid(where, place, 'not an RGB image', `${String(channels)} channels`, '3 channels');
  if (!(Number.isInteger(height) && Number.isInteger(width) && height >= 1 && width >= 1)) {
    throw invalid(where, place, 'the image has no pixels', `${height}x${width}`, 'a height and width of at least 1');
  }
  if (data.length !== height * width * 3) {
    throw invalid(where, place, 'wrong amount of pixels', `${data.length} values`, `${height} * ${width} * 3`);
  }
  return { data, size: [height, width], scale: data instanceof Float32Array ? 1 : 1 / 255 };
}

function checkValues(where: string, place: string, data: Float32Array, width: number): void {
  for (let i = 0; i < data.length; i++) {
    const value = data[i]!;
    if (value > -SURELY_NOT_UNIT && value < SURELY_NOT_UNIT) continue; // false for NaN
    const pixel = Math.floor(i / 3);
    const spot = `${place} row ${Math.floor(pixel / width)}, column ${pixel % width}, channel ${i % 3}`;
    throw invalid(where, spot, 'a pixel out of range', String(value), 'a finite number in [0, 1]', scaleHint(value));
  }
}

function scaleHint(value: number): string {
  return Number.isFinite(value)
    ? 'Divide 0–255 pixels by 255, and leave mean and deviation to the model.'
    : 'Look for a division by zero in what made this image.';
}

function invalid(
  where: string,
  place: string,
  problem: string,
  found: string,
  expected: string,
  hint?: string,
): RcnnError {
  return new RcnnError('IMAGE_INVALID', { where, place, problem, found, expected, ...(hint ? { hint } : {}) });
}

/** What an augmentation does to one image, found out by letting it move pixels that know where they came from. */
import type { ImageSize, PixelImage, Random, Target } from '@rcnn/core';
import { RcnnError } from '@rcnn/core/errors';
import { isVisible, type PresetName, preset, sceneOf } from '@rcnn/transforms';

export interface Placement {
  /** What is seen of the image, `[x, y, width, height]` in its pixels; absent for all of it. */
  readonly window?: readonly [x: number, y: number, width: number, height: number] | undefined;
  readonly flip: boolean;
}

/** The presets that cut and mirror and leave colours and sizes alone: what two programs can do alike to the bit. */
export const AUGMENTED: readonly PresetName[] = ['none', 'hflip', 'ssdlite'];

/**
 * @param random the loader's own stream for this image
 * @param size `[height, width]`
 * @param target its objects, from which windows are drawn; crowds are no objects to learn from
 */
export function placementOf(augment: PresetName, random: Random, size: ImageSize, target: Target): Placement {
  const { masks: _, ...boxes } = target; // windows are drawn from boxes
  const scene = sceneOf(numberedPixels(size), boxes);
  const objects = scene.objects.filter((object) => !object.crowd && isVisible(object));
  const { image } = preset(augment).apply({ ...scene, objects }, random);
  const [first, last] = [numberAt(image, 0), numberAt(image, image.width - 1)];
  const flip = first > last;
  const [y, x] = [Math.floor(first / size[1]), Math.min(first, last) % size[1]];
  const isWhole = image.height === size[0] && image.width === size[1];
  return { flip, ...(!isWhole && { window: [x, y, image.width, image.height] }) };
}

/** Every pixel's number, in three bytes. @throws IMAGE_TOO_LARGE where there are more */
function numberedPixels([height, width]: ImageSize): PixelImage {
  if (height * width > 2 ** 24) {
    const found = `${height * width} pixels`;
    throw new RcnnError('IMAGE_TOO_LARGE', { where: 'bench learn', problem: 'its pixels cannot be numbered', found });
  }
  const data = new Uint8Array(height * width * 3);
  for (let i = 0; i < height * width; i++) data.set([i & 255, (i >> 8) & 255, i >> 16], 3 * i);
  return { data, height, width, channels: 3 };
}

function numberAt({ data }: PixelImage, pixel: number): number {
  const [low, middle, high] = [0, 1, 2].map((byte) => Number(data[3 * pixel + byte]));
  return low! + 256 * middle! + 65_536 * high!;
}

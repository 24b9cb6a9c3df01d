import type { ImageSize, InstanceMask, RunLengths, Target } from '@rcnn/core';
import { encodeRows } from '@rcnn/masks';
import type { Placement } from './placement.ts';
import { resizeBitmap } from './resize.ts';

/** How an image moves: what a {@link Placement} says of it. */
export type Move = Pick<Placement, 'originalSize' | 'resizedSize' | 'offset' | 'size'>;

const { fround } = Math;

/**
 * The objects of an image after the image has moved. This is the one place that knows which fields of a target are
 * geometry: boxes, key points, masks and areas move, all others stay as they are. Masks are resized when they are looked
 * at, because a training step looks only at the objects that it samples.
 */
export function moveObjects(target: Target, move: Move): Target {
  const { boxes, masks, keypoints, area } = target;
  const { originalSize, resizedSize, offset } = move;
  const across = fround(resizedSize[1] / originalSize[1]);
  const down = fround(resizedSize[0] / originalSize[0]);
  const x = (value: number): number => value * across + offset[1];
  const y = (value: number): number => value * down + offset[0];
  const point = (value: number, part: number): number => (part === 0 ? x(value) : part === 1 ? y(value) : value);
  return {
    ...target,
    boxes: boxes.map((value, i) => point(value, i % 2)),
    ...(masks && { masks: masks.map((mask) => new MovedMask(mask, move)) }),
    ...(keypoints && { keypoints: keypoints.map((value, i) => point(value, i % 3)) }),
    ...(area && { area: area.map((value) => value * across * down) }),
  };
}

/** A mask that is resized (nearest) and laid into its canvas when it is looked at. */
class MovedMask implements InstanceMask {
  readonly size: ImageSize;
  readonly #original: InstanceMask;
  readonly #move: Move;

  constructor(original: InstanceMask, move: Move) {
    this.#original = original;
    this.#move = move;
    this.size = move.size;
  }

  bitmap(): Uint8Array {
    const { offset, resizedSize } = this.#move;
    const resized = resizeBitmap(this.#original.bitmap(), this.#original.size, resizedSize);
    const [height, width] = this.size;
    if (resizedSize[0] === height && resizedSize[1] === width) return resized;
    const canvas = new Uint8Array(height * width);
    for (let row = 0; row < resizedSize[0]; row++) {
      const pixels = resized.subarray(row * resizedSize[1], (row + 1) * resizedSize[1]);
      canvas.set(pixels, (row + offset[0]) * width + offset[1]);
    }
    return canvas;
  }

  runLengths(): RunLengths {
    return encodeRows(this.bitmap(), this.size);
  }
}

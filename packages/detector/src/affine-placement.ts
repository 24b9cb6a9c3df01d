import type { Detection, DetectOptions, ImageSize, Target } from '@rcnn/core';
import { runsBox } from '@rcnn/masks';
import { moveObjects } from './move-objects.ts';
import type { Box, FoundByMasks, FoundMask, FoundObjects, Placement } from './placement.ts';

export interface AffinePlacementOptions {
  readonly originalSize: ImageSize;
  readonly resizedSize: ImageSize;
  /** Default 0, 0. */
  readonly offset?: readonly [y: number, x: number] | undefined;
  /** Default `resizedSize`: there is no margin around the image. */
  readonly size?: ImageSize | undefined;
}

/** Where an object is. */
type Place = Pick<Detection, 'box' | 'mask'>;

const { fround } = Math;

/**
 * An image that was scaled and shifted. Coordinates move by the real ratio of the sides, not by the wanted scale; in
 * float32, as torchvision's do.
 */
export class AffinePlacement implements Placement {
  readonly originalSize: ImageSize;
  readonly resizedSize: ImageSize;
  readonly offset: readonly [y: number, x: number];
  readonly size: ImageSize;

  constructor({ originalSize, resizedSize, offset = [0, 0], size = resizedSize }: AffinePlacementOptions) {
    this.originalSize = originalSize;
    this.resizedSize = resizedSize;
    this.offset = offset;
    this.size = size;
  }

  toModel(target: Target): Target {
    return moveObjects(target, this);
  }

  /** Where there is a margin around the image, boxes are clipped to the image, and those in the margin alone dropped. */
  toImage(found: FoundObjects | FoundByMasks, options: DetectOptions = {}): Detection[] {
    const { scores, labels, keypoints, maskScores } = found;
    const points = scores.length === 0 ? 0 : (keypoints?.length ?? 0) / scores.length;
    const detections: Detection[] = [];
    for (const [k, score] of scores.entries()) {
      const place = found.boxes === undefined ? this.#byMask(found.masks[k]!, options) : this.#byBox(found, k, options);
      if (place === undefined) continue;
      const ofObject = keypoints?.subarray(k * points, (k + 1) * points);
      detections.push({
        label: labels[k]!,
        score,
        ...place,
        ...(maskScores && { maskScore: maskScores[k]! }),
        ...(ofObject && { keypoints: this.#points(ofObject) }),
      });
    }
    return detections;
  }

  #byBox({ boxes, masks }: FoundObjects, k: number, options: DetectOptions): Place | undefined {
    const box = this.#clip([
      this.#x(boxes[4 * k]!),
      this.#y(boxes[4 * k + 1]!),
      this.#x(boxes[4 * k + 2]!),
      this.#y(boxes[4 * k + 3]!),
    ]);
    const mask = box && masks?.[k]?.toImage(this, box, options);
    return box && { box, ...(mask && { mask }) };
  }

  /** Undefined when the mask has no pixel in the image. */
  #byMask(found: FoundMask, options: DetectOptions): Place | undefined {
    const [rows, columns] = this.originalSize;
    const mask = found.toImage(this, [0, 0, columns, rows], options);
    const [x, y, width, height] = runsBox(mask.runLengths());
    return width > 0 ? { box: [x, y, x + width, y + height], mask } : undefined;
  }

  #x(value: number): number {
    return fround((value - this.offset[1]) * fround(this.originalSize[1] / this.resizedSize[1]));
  }

  #y(value: number): number {
    return fround((value - this.offset[0]) * fround(this.originalSize[0] / this.resizedSize[0]));
  }

  #points(values: Float32Array): NonNullable<Detection['keypoints']> {
    return Array.from({ length: values.length / 3 }, (_, i) => {
      return [this.#x(values[3 * i]!), this.#y(values[3 * i + 1]!), values[3 * i + 2]!];
    });
  }

  /** Undefined when nothing of the box is in the image. Without a margin boxes were clipped in the batch already. */
  #clip(box: Box): Box | undefined {
    if (!this.#hasMargin()) return box;
    const [height, width] = this.originalSize;
    const within = (value: number, limit: number): number => Math.min(Math.max(value, 0), limit);
    const [x1, y1, x2, y2] = box;
    const clipped: Box = [within(x1, width), within(y1, height), within(x2, width), within(y2, height)];
    return clipped[2] > clipped[0] && clipped[3] > clipped[1] ? clipped : undefined;
  }

  #hasMargin(): boolean {
    const { offset, size, resizedSize } = this;
    return offset[0] !== 0 || offset[1] !== 0 || size[0] !== resizedSize[0] || size[1] !== resizedSize[1];
  }
}

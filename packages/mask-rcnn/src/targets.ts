import {
  type DetectorSpec,
  type ImageSize,
  type InstanceMask,
  RcnnError,
  type RunLengths,
  type Target,
} from '@rcnn/core';
import { encodeRows } from '@rcnn/masks';
import type { RoITarget } from '@rcnn/roi-heads';
import { resizeBitmap } from './resize.ts';

/** What a target must fit. */
export type TargetRules = Pick<DetectorSpec, 'numClasses' | 'learnsFrom'>;

/**
 * Checks the targets of a batch while they are on the host, before any arithmetic: a degenerate box would become a
 * logarithm of zero in the loss, a wrong label a read beyond the logits.
 * @throws TARGET_INVALID, NON_FINITE, BOX_DEGENERATE, LABEL_OUT_OF_RANGE or MASK_SIZE_MISMATCH with the place
 */
export function checkTargets(
  where: string,
  targets: readonly Target[],
  sizes: readonly ImageSize[],
  rules: TargetRules,
): void {
  if (targets.length !== sizes.length) {
    throw new RcnnError('INVALID_ARGUMENT', {
      where,
      place: 'targets',
      problem: 'images and targets differ in number',
      found: `${targets.length} targets`,
      expected: `${sizes.length}`,
      hint: 'An image without objects has a target too, with empty boxes and labels.',
    });
  }
  for (const [i, target] of targets.entries()) checkTarget(new TargetPlace(where, i, target), target, sizes[i]!, rules);
}

function checkTarget(at: TargetPlace, target: Target, size: ImageSize, { numClasses, learnsFrom }: TargetRules): void {
  const count = target.labels.length;
  if (target.boxes.length !== count * 4) {
    throw at.error(
      'TARGET_INVALID',
      'boxes',
      'boxes and labels differ in number',
      `${target.boxes.length} numbers for ${count} labels`,
      '4 numbers for each label',
    );
  }
  for (let k = 0; k < count; k++) {
    checkBox(at, target.boxes.subarray(k * 4, k * 4 + 4), k);
    const label = target.labels[k]!;
    if (!Number.isInteger(label) || label < 1 || label >= numClasses) {
      throw at.error(
        'LABEL_OUT_OF_RANGE',
        `labels[${k}]`,
        'no such class',
        `${label}`,
        `1 to ${numClasses - 1} (0 is the background)`,
        'Is numClasses the number of classes plus one for the background?',
      );
    }
  }
  if (learnsFrom.includes('masks')) checkMasks(at, target, size);
}

function checkBox(at: TargetPlace, box: Float32Array, k: number): void {
  const [x1, y1, x2, y2] = box as unknown as [number, number, number, number];
  const found = `[${box.join(', ')}]`;
  if (!box.every(Number.isFinite)) throw at.error('NON_FINITE', `boxes[${k}]`, 'a box is not finite', found);
  if (!(x2 > x1 && y2 > y1)) {
    throw at.error(
      'BOX_DEGENERATE',
      `boxes[${k}]`,
      'a box without area',
      found,
      'x2 > x1 and y2 > y1',
      'Boxes are [x1, y1, x2, y2]; COCO files write [x, y, width, height].',
    );
  }
}

function checkMasks(at: TargetPlace, { labels, masks }: Target, [height, width]: ImageSize): void {
  if (masks === undefined) {
    if (labels.length === 0) return; // an image without objects needs none
    throw at.error('TARGET_INVALID', 'masks', 'the masks are missing', undefined, `${labels.length} masks`);
  }
  if (masks.length !== labels.length) {
    throw at.error(
      'TARGET_INVALID',
      'masks',
      'masks and labels differ in number',
      `${masks.length}`,
      `${labels.length}`,
    );
  }
  for (const [k, mask] of masks.entries()) {
    const [h, w] = mask.size;
    if (h === height && w === width) continue;
    throw at.error(
      'MASK_SIZE_MISMATCH',
      `masks[${k}]`,
      'a mask is not of the image’s size',
      `${h}x${w}`,
      `${height}x${width}`,
    );
  }
}

/** Builds errors that name the target and, where known, the image. */
class TargetPlace {
  readonly #where: string;
  readonly #index: number;
  readonly #target: Target;

  constructor(where: string, index: number, target: Target) {
    this.#where = where;
    this.#index = index;
    this.#target = target;
  }

  error(
    code: 'TARGET_INVALID' | 'NON_FINITE' | 'BOX_DEGENERATE' | 'LABEL_OUT_OF_RANGE' | 'MASK_SIZE_MISMATCH',
    part: string,
    problem: string,
    found?: string,
    expected?: string,
    hint?: string,
  ): RcnnError {
    const { imageId } = this.#target;
    const image = imageId === undefined ? '' : ` of image ${imageId}`;
    return new RcnnError(code, {
      where: this.#where,
      place: `targets[${this.#index}].${part}${image}`,
      problem,
      ...(found === undefined ? {} : { found }),
      ...(expected === undefined ? {} : { expected }),
      ...(hint === undefined ? {} : { hint }),
    });
  }
}

/** The same target without its crowd regions, which are never trained on. */
export function withoutCrowds(target: Target): Target {
  const { crowd, boxes, labels, masks } = target;
  if (crowd === undefined || !crowd.includes(1)) return target;
  const keep = [...labels.keys()].filter((k) => crowd[k] !== 1);
  return {
    boxes: Float32Array.from(keep.flatMap((k) => [...boxes.subarray(k * 4, k * 4 + 4)])),
    labels: Int32Array.from(keep, (k) => labels[k]!),
    ...(masks === undefined ? {} : { masks: keep.map((k) => masks[k]!) }),
    ...(target.imageId === undefined ? {} : { imageId: target.imageId }),
  };
}

/** The target in pixels of the resized image. Boxes move by the real ratio of the sides, not by the wanted scale. */
export function resizeTarget({ boxes, labels, masks }: Target, from: ImageSize, to: ImageSize): RoITarget {
  const across = Math.fround(to[1] / from[1]);
  const down = Math.fround(to[0] / from[0]);
  return {
    boxes: boxes.map((value, i) => value * (i % 2 === 0 ? across : down)),
    labels,
    ...(masks === undefined ? {} : { masks: masks.map((mask) => new ResizedMask(mask, to)) }),
  };
}

/** A mask resized (nearest) when it is looked at: a step looks only at the objects that were sampled. */
class ResizedMask implements InstanceMask {
  readonly size: ImageSize;
  readonly #original: InstanceMask;

  constructor(original: InstanceMask, size: ImageSize) {
    this.#original = original;
    this.size = size;
  }

  bitmap(): Uint8Array {
    return resizeBitmap(this.#original.bitmap(), this.#original.size, this.size);
  }

  runLengths(): RunLengths {
    return encodeRows(this.bitmap(), this.size);
  }
}

import { type DetectorSpec, type ImageSize, RcnnError, rowsWhere, type Target, takeObjects } from '@rcnn/core';

/** What a target must fit. */
export type TargetRules = Pick<DetectorSpec, 'numClasses' | 'learnsFrom' | 'numKeypoints'>;

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

function checkTarget(at: TargetPlace, target: Target, size: ImageSize, rules: TargetRules): void {
  const { labels, boxes, crowd, area } = target;
  checkLength(at, 'boxes', boxes, 4 * labels.length);
  if (crowd !== undefined) checkLength(at, 'crowd', crowd, labels.length);
  if (area !== undefined) checkLength(at, 'area', area, labels.length);
  checkBoxes(at, target, rules);
  if (rules.learnsFrom.includes('masks')) checkMasks(at, target, size);
  if (rules.learnsFrom.includes('keypoints')) checkKeypoints(at, target, rules);
}

function checkLength(at: TargetPlace, part: string, values: ArrayLike<number>, expected: number): void {
  if (values.length === expected) return;
  throw at.error(
    'TARGET_INVALID',
    part,
    `${part} and labels differ in number`,
    `${values.length} numbers`,
    `${expected}`,
  );
}

function checkBoxes(at: TargetPlace, target: Target, { numClasses }: TargetRules): void {
  const count = target.labels.length;
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

function checkKeypoints(at: TargetPlace, { labels, keypoints }: Target, { numKeypoints }: TargetRules): void {
  if (keypoints === undefined) {
    if (labels.length === 0) return;
    throw at.error('TARGET_INVALID', 'keypoints', 'the key points are missing', undefined, `${labels.length} sets`);
  }
  const count = numKeypoints ?? (labels.length === 0 ? 0 : Math.floor(keypoints.length / labels.length / 3));
  checkLength(at, 'keypoints', keypoints, labels.length * count * 3);
  for (let i = 0; i < keypoints.length; i += 3) {
    const place = `keypoints[${Math.floor(i / 3 / count)}][${(i / 3) % count}]`;
    const [x, y, visibility] = keypoints.subarray(i, i + 3) as unknown as [number, number, number];
    if (!(Number.isFinite(x) && Number.isFinite(y))) {
      throw at.error('NON_FINITE', place, 'a key point is not finite', `[${x}, ${y}]`);
    }
    if (visibility === 0 || visibility === 1 || visibility === 2) continue;
    const known = '0 (not labelled), 1 (hidden) or 2 (visible)';
    throw at.error('TARGET_INVALID', place, 'no such visibility', `${visibility}`, known);
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
export function withoutCrowds<T extends Target>(target: T): T {
  const { crowd } = target;
  if (crowd === undefined || !crowd.includes(1)) return target;
  return takeObjects(
    target,
    rowsWhere(target, (row) => crowd[row] !== 1),
  );
}

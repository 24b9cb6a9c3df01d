import { type Boxes, countBoxes } from '@rcnn/boxes';
import { type InstanceMask, RcnnError } from '@rcnn/core';
import { alignForward } from './align-in-js.ts';

export interface MaskTargetRules {
  /** Whether boxes are read half a pixel earlier, as detectron2 does. Default false. */
  readonly aligned?: boolean;
  /** A cell is 1 from this share on and 0 below: 0.5 in detectron2. Default: the share itself. */
  readonly threshold?: number | undefined;
}

/**
 * What the mask head should say about each box: RoIAlign of its object's mask (scale 1, adaptive sampling), as
 * torchvision does it (not aligned, kept soft) or by other rules. `[R * size * size]`, row-major.
 * @param masks of the gt objects of one image, in pixels of the resized image
 * @param boxes `[R * 4]`: the proposals, in the same pixels
 * @param matched index of each box's object: `[R]`
 * @see He et al. 2017, section 3.1 (arXiv:1703.06870)
 * @throws SHAPE_MISMATCH, INVALID_ARGUMENT
 */
export function maskTargets(
  masks: readonly InstanceMask[],
  boxes: Boxes,
  matched: ArrayLike<number>,
  size = 28,
  { aligned = false, threshold }: MaskTargetRules = {},
): Float32Array {
  const count = countBoxes(boxes, 'maskTargets');
  if (matched.length !== count) {
    throw new RcnnError('SHAPE_MISMATCH', {
      where: 'maskTargets',
      problem: 'one matched object per box is needed',
      found: String(matched.length),
      expected: String(count),
    });
  }
  const targets = new Float32Array(count * size * size);
  const bitmaps = new Map<number, Float32Array>();
  for (let r = 0; r < count; r++) {
    const gt = matched[r]!;
    const mask = masks[gt];
    if (mask === undefined) {
      throw new RcnnError('INVALID_ARGUMENT', {
        where: 'maskTargets',
        place: `box ${r}`,
        problem: 'the matched object has no mask',
        found: `object ${gt} of ${masks.length}`,
      });
    }
    let bitmap = bitmaps.get(gt);
    if (bitmap === undefined) bitmaps.set(gt, (bitmap = Float32Array.from(mask.bitmap())));
    const [height, width] = mask.size;
    const rois = { count: 1, boxes: boxes.subarray(r * 4, r * 4 + 4), images: zero, levels: zero };
    const shape = { height: size, width: size, samplingRatio: 0, aligned };
    const maps = { shapes: [{ height, width, scale: 1 }], images: 1, channels: 1 };
    alignForward([bitmap], maps, rois, shape, targets.subarray(r * size * size, (r + 1) * size * size));
  }
  return threshold === undefined ? targets : targets.map((value) => Number(value >= threshold));
}

const zero = new Int32Array(1);

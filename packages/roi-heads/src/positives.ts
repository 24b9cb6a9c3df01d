import { type InstanceMask, RcnnError, rowsWhere, type Target, takeObjects } from '@rcnn/core';
import type { SampledRoIs } from './rois.ts';

/** The sampled regions that are objects, without those of the background: `[P]` of `[R]`. */
export function onlyPositives(sampled: SampledRoIs): SampledRoIs {
  return takeObjects(
    sampled,
    rowsWhere(sampled, (row) => sampled.labels[row]! > 0),
  );
}

/**
 * The masks of an image's objects; none where no region asks for them.
 * @param where the branch that asks, for the error
 * @param image its number in the batch
 * @throws TARGET_INVALID when regions ask for masks and the target has none
 */
export function masksFor(
  where: string,
  { masks }: Target,
  { labels }: SampledRoIs,
  image: number,
): readonly InstanceMask[] {
  if (masks !== undefined || labels.length === 0) return masks ?? [];
  throw new RcnnError('TARGET_INVALID', {
    where,
    place: `targets[${image}].masks`,
    problem: 'the masks are missing',
    hint: 'A model with a mask branch needs a mask for every object.',
  });
}

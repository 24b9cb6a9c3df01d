import { RcnnError } from '@rcnn/core/errors';
import { MAX_SKIP_RATE } from '../dataset-settings.ts';
import type { AnnotationSet } from '../records.ts';
import type { Problems } from './problems.ts';

/**
 * A set that lost many of its images would pass for the whole. Looks at what is left of it.
 * @param maxSkipRate share of the images that may be left out; one always may, unless it is 0 or the only one
 * @throws DATASET_INVALID
 */
export function requireMost(
  { source, images }: AnnotationSet,
  problems: Problems,
  maxSkipRate: number = MAX_SKIP_RATE,
): void {
  const { lostImages: count, firstLoss } = problems;
  const total = images.length + count;
  const isMost = count <= (maxSkipRate === 0 ? 0 : Math.max(1, maxSkipRate * total));
  if (count === 0 || (isMost && images.length > 0)) return;
  const first = firstLoss?.examples[0];
  throw new RcnnError('DATASET_INVALID', {
    where: source,
    ...(first && { place: first.place }),
    problem: `too many images cannot be used: ${count} of ${total}`,
    ...(first && { found: `${firstLoss!.title}: ${first.found}` }),
    expected: images.length === 0 ? 'at least one that can' : `at most ${maxSkipRate * 100} %`,
    hint: "Run 'mask-rcnn doctor' on the dataset, or raise maxSkipRate (--max-skip-rate).",
  });
}

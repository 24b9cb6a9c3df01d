import { RcnnError } from '@rcnn/core/errors';
import { MAX_SKIP_RATE } from '../dataset-settings.ts';
import type { AnnotationSet } from '../records.ts';
import type { ProblemKind, Problems } from './problems.ts';

/** Problems that cost an image, or a file that has the objects of one. */
const OF_IMAGES: readonly ProblemKind[] = [
  'file-missing',
  'file-malformed',
  'file-refused',
  'image-missing',
  'image-corrupt',
  'image-too-large',
  'image-too-slow',
  'image-size',
  'path-refused',
];

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
  const lost = problems.list().filter(({ kind }) => OF_IMAGES.includes(kind));
  const count = lost.reduce((sum, one) => sum + one.count, 0);
  const total = images.length + count;
  const isMost = count <= (maxSkipRate === 0 ? 0 : Math.max(1, maxSkipRate * total));
  if (count === 0 || (isMost && images.length > 0)) return;
  const [first] = lost[0]!.examples;
  throw new RcnnError('DATASET_INVALID', {
    where: source,
    place: first!.place,
    problem: `too many images cannot be used: ${count} of ${total}`,
    found: `${lost[0]!.title}: ${first!.found}`,
    expected: images.length === 0 ? 'at least one that can' : `at most ${maxSkipRate * 100} %`,
    hint: "Run 'mask-rcnn doctor' on the dataset, or raise maxSkipRate (--max-skip-rate).",
  });
}

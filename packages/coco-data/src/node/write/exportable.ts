import { isRcnnError, RcnnError } from '@rcnn/core/errors';
import { MAX_SKIP_RATE } from '../../dataset-settings.ts';
import { type CheckedSet, checkMasks } from '../../doctor/check.ts';
import { lookAtEach } from '../../doctor/in-order.ts';
import type { ProblemKind, Problems } from '../../doctor/problems.ts';
import type { AnnotationRecord, AnnotationSet, ImageRecord } from '../../records.ts';
import type { FolderImages } from '../images/folder-images.ts';
import { fileProblem } from '../read/file-problem.ts';

/**
 * What of a set can be written as another, before anything is: pictures are decoded and masks filled, for whoever reads the
 * copy will, and a picture of another size than its record would put every object in a wrong place. The rest is reported.
 * @param store undefined where the copy has no pictures: none is looked at
 */
export async function exportable(
  set: CheckedSet,
  store: FolderImages | undefined,
  problems: Problems,
): Promise<AnnotationSet> {
  const sound = new Set<ImageRecord | AnnotationRecord>();
  await lookAtEach(set.images, problems, async (image, own) => {
    try {
      await store?.load(image);
    } catch (error) {
      if (!isRcnnError(error)) throw error;
      own.add({ kind: fileProblem(error), source: set.source, place: image.place, found: error.message });
      return;
    }
    sound.add(image);
    for (const annotation of checkMasks(set.source, image, set.byImage.get(image.id) ?? [], own)) sound.add(annotation);
  });
  const isSound = (record: ImageRecord | AnnotationRecord): boolean => sound.has(record);
  return { ...set, images: set.images.filter(isSound), annotations: set.annotations.filter(isSound) };
}

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
 * A copy that lost many of its images would pass for the whole.
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

import { isRcnnError } from '@rcnn/core/errors';
import { type CheckedSet, checkMasks } from '../../doctor/check.ts';
import { lookAtEach } from '../../doctor/in-order.ts';
import type { Problems } from '../../doctor/problems.ts';
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

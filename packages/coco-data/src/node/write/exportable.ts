import { isRcnnError, type RcnnError } from '@rcnn/core/errors';
import type { ProblemKind, Problems } from '../../doctor/problems.ts';
import { maskOf } from '../../masks.ts';
import type { AnnotationRecord, AnnotationSet, ImageRecord } from '../../records.ts';
import type { FolderImages } from '../images/folder-images.ts';
import { fileProblem } from '../read/file-problem.ts';

/**
 * What of a set can be written for other tools, before anything is: they count places in fractions of the picture, or open
 * it themselves, so a record of another size would put every object in a wrong place. The rest is reported.
 * @param strict whether pictures that cannot be decoded are left out as well; else they are brought as they are
 */
export async function exportable(
  set: AnnotationSet,
  store: FolderImages,
  problems: Problems,
  strict: boolean,
): Promise<AnnotationSet> {
  const images: ImageRecord[] = [];
  for (const image of set.images) {
    const error = await store.check(image).then(
      () => undefined,
      (cause: unknown) => cause,
    );
    if (error !== undefined && !isRcnnError(error)) throw error;
    if (error === undefined || (!strict && error.code === 'IMAGE_CORRUPT')) images.push(image);
    else problems.add({ kind: kindOf(error), source: set.source, place: image.place, found: error.message });
  }
  const kept = new Set(images.map(({ id }) => id));
  const annotations = set.annotations.filter(
    (annotation) => kept.has(annotation.imageId) && hasOutline(annotation, set.source, problems),
  );
  return { ...set, images, annotations };
}

function kindOf(error: RcnnError): ProblemKind {
  return error.code === 'IMAGE_SIZE_MISMATCH' ? 'image-size' : fileProblem(error);
}

/** Whether the run lengths of an object, if it has any, can be drawn. */
function hasOutline({ segmentation, place }: AnnotationRecord, source: string, problems: Problems): boolean {
  if (segmentation?.kind !== 'rle') return true;
  try {
    maskOf(segmentation, segmentation.size).runLengths();
    return true;
  } catch (error) {
    if (!isRcnnError(error)) throw error;
    problems.add({ kind: 'rle-invalid', source, place: `${place}/segmentation`, found: error.message });
    return false;
  }
}

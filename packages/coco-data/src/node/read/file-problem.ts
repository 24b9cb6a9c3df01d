import type { RcnnError } from '@rcnn/core/errors';
import type { ProblemKind, Problems } from '../../doctor/problems.ts';

/** The kind of problem that a file of one picture is, by the error of reading it. */
export function fileProblem({ code }: RcnnError): ProblemKind {
  switch (code) {
    case 'FILE_REFUSED':
      return 'file-refused';
    case 'FILE_MISSING':
      return 'file-missing';
    case 'IMAGE_MISSING':
      return 'image-missing';
    case 'IMAGE_CORRUPT':
      return 'image-corrupt';
    case 'IMAGE_TOO_LARGE':
      return 'image-too-large';
    case 'IMAGE_TOO_SLOW':
      return 'image-too-slow';
    case 'IMAGE_SIZE_MISMATCH':
      return 'image-size';
    case 'PATH_REFUSED':
      return 'path-refused';
    case 'MASK_SIZE_MISMATCH':
      return 'rle-size';
    case 'DATASET_INVALID':
      return 'field-missing';
    default:
      return 'file-malformed';
  }
}

/** Adds what ended the reading of one image or of its file: the image is lost, whatever the problem is called. */
export function addFileProblem(
  problems: Problems,
  error: RcnnError,
  { source, place }: { readonly source: string; readonly place: string },
  found: string = error.message,
): void {
  const before = problems.lostImages;
  problems.add({ kind: fileProblem(error), source, place, found });
  if (problems.lostImages === before) problems.countLost();
}

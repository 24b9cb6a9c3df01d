import type { RcnnError } from '@rcnn/core/errors';
import type { ProblemKind } from '../../doctor/problems.ts';

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

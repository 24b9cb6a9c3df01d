import { type ErrorCode, type ErrorDetails, isRcnnError, RcnnError } from '@rcnn/core/errors';

const WHERE = 'setup tensorflow';

/** An error of the setup. */
export function failure(code: ErrorCode, details: Omit<ErrorDetails, 'where'>): RcnnError {
  return new RcnnError(code, { where: WHERE, ...details });
}

/** Turns what the file system throws into a typed error; lets our own errors through. */
export function fileFailure(error: unknown, place: string): RcnnError {
  if (isRcnnError(error)) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return failure('DISK_FULL', {
      place,
      problem: 'the disk is full',
      hint: 'Free some space, or choose another disk with --dir. What was installed before still works.',
      cause: error,
    });
  }
  return failure('IO_FAILED', {
    place,
    problem: 'reading or writing failed',
    found: code ?? message,
    hint: 'Check the permissions of the folder, or choose another one with --dir.',
    cause: error,
  });
}

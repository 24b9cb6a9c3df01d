import { type ErrorCode, RcnnError } from '@rcnn/core/errors';

const CODES: Readonly<Record<string, ErrorCode>> = {
  ENOENT: 'FILE_MISSING',
  ENOTDIR: 'FILE_MISSING',
  EEXIST: 'FILE_EXISTS',
  ENOSPC: 'DISK_FULL',
  EDQUOT: 'DISK_FULL',
  EFBIG: 'DISK_FULL',
};

const HINTS: Readonly<Record<string, string>> = {
  EACCES: 'Do you have the right to do this?',
  EPERM: 'Do you have the right to do this?',
  EROFS: 'The disk is read-only.',
  EMFILE: 'Too many files are open in this process.',
  ENOSPC: 'Free some space and try again.',
  EDQUOT: 'Free some space and try again.',
  ENOENT: 'Is the path right?',
  ENOTDIR: 'A part of the path is a file, not a folder.',
  ELOOP: 'It is a link; name the file itself.',
  EISDIR: 'It is a folder; name a file.',
};

/**
 * The {@link RcnnError} for an error of the operating system: its code, and what to do where that is known.
 * @param problem what could not be done, such as `cannot be read`
 */
export function fileError(path: string, problem: string, error: unknown): RcnnError {
  const code = (error as { code?: unknown } | null)?.code;
  const name = typeof code === 'string' ? code : undefined;
  return new RcnnError((name === undefined ? undefined : CODES[name]) ?? 'IO_FAILED', {
    where: path,
    problem,
    found: name ?? (error instanceof Error ? error.message : String(error)),
    ...(name !== undefined && HINTS[name] !== undefined ? { hint: HINTS[name] } : {}),
    cause: error,
  });
}

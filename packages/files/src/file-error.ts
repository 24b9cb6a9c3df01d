import { accessSync, constants, existsSync } from 'node:fs';
import { dirname } from 'node:path';
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
  EEXIST: 'Something of that name is there already.',
};

/**
 * The {@link RcnnError} for an error of the operating system: its code, and what to do where that is known.
 * @param problem what could not be done, such as `cannot be read`
 */
export function fileError(path: string, problem: string, error: unknown): RcnnError {
  const name = codeOf(path, error);
  return new RcnnError((name === undefined ? undefined : CODES[name]) ?? 'IO_FAILED', {
    where: path,
    problem,
    found: name ?? (error instanceof Error ? error.message : String(error)),
    ...(name !== undefined && HINTS[name] !== undefined ? { hint: HINTS[name] } : {}),
    cause: error,
  });
}

/**
 * The system's own code. Making folders with all above them, Node calls whatever stops it a missing path: then the
 * nearest folder that is there says what it was.
 */
function codeOf(path: string, error: unknown): string | undefined {
  const { code, syscall } = (error ?? {}) as { code?: unknown; syscall?: unknown };
  if (code === 'ENOENT' && syscall === 'mkdir') {
    let above = dirname(path);
    while (!existsSync(above) && dirname(above) !== above) above = dirname(above);
    try {
      accessSync(above, constants.W_OK);
    } catch (cause) {
      return (cause as NodeJS.ErrnoException).code;
    }
  }
  return typeof code === 'string' ? code : undefined;
}

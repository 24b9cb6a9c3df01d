import { fileError } from '@rcnn/files';

/**
 * An error of the operating system (ENOENT, EACCES, EROFS, EISDIR, ENAMETOOLONG, ENOSPC, …) that reached the program's
 * end, as one of ours that names the file; other errors as they are.
 */
export function systemError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const { code, syscall, path, errno } = error as NodeJS.ErrnoException;
  if (typeof code !== 'string' || typeof syscall !== 'string' || errno === undefined) return error;
  return fileError(path ?? syscall, `cannot be used (${syscall})`, error);
}

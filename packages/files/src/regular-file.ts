import { closeSync, constants, fstatSync, openSync, readFileSync, type Stats } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { type ErrorCode, RcnnError } from '@rcnn/core/errors';
import { fileError } from './file-error.ts';

/** A pipe without a writer would make opening wait for ever. Windows knows neither pipes in folders nor the flag. */
const AT_ONCE: number = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);

/**
 * Opens a file for reading, at once or not at all: only what has a size and an end is read. The caller closes it.
 * @param missing the code of a file that is not there
 * @throws FILE_MISSING or `missing`, IO_FAILED; FILE_REFUSED for a folder, pipe, device or socket
 */
export async function openRegular(path: string, missing: ErrorCode = 'FILE_MISSING'): Promise<FileHandle> {
  const file = await open(path, AT_ONCE).catch((cause: unknown) => {
    throw openError(path, missing, cause);
  });
  const stats = await file.stat();
  if (stats.isFile()) return file;
  await file.close();
  throw notAFile(path, stats);
}

/** {@link openRegular} at once: a descriptor, which the caller closes. */
export function openRegularSync(path: string, missing: ErrorCode = 'FILE_MISSING'): number {
  let file: number;
  try {
    file = openSync(path, AT_ONCE);
  } catch (cause) {
    throw openError(path, missing, cause);
  }
  const stats = fstatSync(file);
  if (stats.isFile()) return file;
  closeSync(file);
  throw notAFile(path, stats);
}

/** The text of a file, as UTF-8. @throws as {@link openRegularSync} */
export function readTextSync(path: string): string {
  const file = openRegularSync(path);
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw fileError(path, 'the file cannot be read', cause);
  } finally {
    closeSync(file);
  }
}

function openError(path: string, missing: ErrorCode, cause: unknown): RcnnError {
  const { code } = cause as NodeJS.ErrnoException;
  if (code === 'ENXIO' || code === 'ENODEV') return notAFile(path); // a socket cannot even be opened
  if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ENAMETOOLONG') {
    return new RcnnError(missing, { where: path, problem: 'there is no such file', cause });
  }
  return fileError(path, 'the file cannot be read', cause);
}

function notAFile(path: string, stats?: Stats): RcnnError {
  const kinds = { isDirectory: 'a folder', isFIFO: 'a pipe', isCharacterDevice: 'a device', isBlockDevice: 'a device' };
  const kind = (Object.keys(kinds) as (keyof typeof kinds)[]).find((is) => stats?.[is]());
  return new RcnnError('FILE_REFUSED', {
    where: path,
    problem: 'this is not a file',
    found: kind === undefined ? 'a socket' : kinds[kind],
    hint: 'Name a file.',
  });
}

/**
 * Refuses a path that a new file would take the place of and that is no file: a folder, or a device such as `/dev/null`,
 * which a rename would replace for the whole system.
 * @throws FILE_REFUSED
 */
export async function requireReplaceable(path: string): Promise<void> {
  const info = await stat(path).catch(() => undefined);
  if (info === undefined || info.isFile()) return;
  throw new RcnnError('FILE_REFUSED', {
    where: path,
    problem: `this is ${info.isDirectory() ? 'a folder' : 'a pipe or device'}, and a file would take its place`,
    hint: 'Name a file.',
  });
}

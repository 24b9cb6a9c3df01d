import { statfsSync } from 'node:fs';
import { RcnnError } from '@rcnn/core/errors';
import { fileError, makeFolderSync } from '@rcnn/files';

/** Runs calls of the file system; what goes wrong is a typed error that names `path`. */
export function onDisk<T>(path: string, problem: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw typeof (error as { code?: unknown } | null)?.code === 'string' && !(error instanceof RcnnError)
      ? fileError(path, problem, error)
      : error;
  }
}

/** Makes a folder and those above it. @throws FILE_EXISTS, FILE_MISSING (a part is a file), DISK_FULL, IO_FAILED */
export function makeFolder(path: string): void {
  onDisk(path, 'the folder cannot be made', () => makeFolderSync(path));
}

/** Bytes that this user may still write below `path`; undefined when the file system does not say. */
function freeBytes(path: string): number | undefined {
  try {
    const { bavail, bsize, blocks } = statfsSync(path);
    return blocks === 0 ? undefined : bavail * bsize;
  } catch {
    return undefined;
  }
}

/**
 * Refuses to begin what the disk cannot hold: better now than at the end of the first epoch.
 * @throws DISK_FULL
 */
export function requireSpace(path: string, bytes: number, free: number | undefined = freeBytes(path)): void {
  if (free === undefined || free >= bytes) return;
  throw new RcnnError('DISK_FULL', {
    where: path,
    problem: 'there is no room for the checkpoints',
    found: `${mebibytes(free)} MiB free`,
    expected: `${mebibytes(bytes)} MiB`,
    hint: "Free some space, or train on another disk with 'out'.",
  });
}

function mebibytes(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(1);
}

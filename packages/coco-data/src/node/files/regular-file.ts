import { constants, type FileHandle, open } from 'node:fs/promises';
import { type ErrorCode, RcnnError } from '@rcnn/core/errors';

/**
 * Opens a file for reading, at once or not at all: a pipe without a writer, a socket, a device or a folder is refused
 * before a byte of it is asked for.
 * @param missing the code of a file that is not there
 * @throws FILE_MISSING or `missing`, FILE_REFUSED, IO_FAILED
 */
export async function openRegular(path: string, missing: ErrorCode = 'FILE_MISSING'): Promise<FileHandle> {
  let handle: FileHandle;
  try {
    // Without O_NONBLOCK, opening a pipe waits for its other end.
    handle = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  } catch (cause) {
    throw openError(path, missing, cause);
  }
  if ((await handle.stat()).isFile()) return handle;
  await handle.close();
  throw notAFile(path);
}

/** The bytes of a file. @throws as {@link openRegular}, and FILE_REFUSED for one larger than `most` bytes */
export async function readRegular(path: string, most: number, missing?: ErrorCode): Promise<Uint8Array> {
  const handle = await openRegular(path, missing);
  try {
    const { size } = await handle.stat();
    if (size <= most) return await handle.readFile();
    throw new RcnnError('FILE_REFUSED', {
      where: path,
      problem: `the file is larger than ${Math.round(most / 2 ** 20)} MiB`,
      found: `${size} bytes`,
    });
  } finally {
    await handle.close();
  }
}

function openError(path: string, missing: ErrorCode, cause: unknown): RcnnError {
  const { code } = cause as NodeJS.ErrnoException;
  if (code === 'ENXIO' || code === 'EISDIR' || code === 'ENODEV') return notAFile(path);
  const isMissing = code === 'ENOENT' || code === 'ENOTDIR' || code === 'ENAMETOOLONG';
  return new RcnnError(isMissing ? missing : 'IO_FAILED', {
    where: path,
    problem: isMissing ? 'there is no such file' : 'the file cannot be read',
    ...(!isMissing && { found: code ?? String(cause) }),
    cause,
  });
}

function notAFile(path: string): RcnnError {
  return new RcnnError('FILE_REFUSED', { where: path, problem: 'this is not a file but a folder, pipe or device' });
}

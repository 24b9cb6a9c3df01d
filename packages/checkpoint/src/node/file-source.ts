import { constants, type Stats } from 'node:fs';
import { open } from 'node:fs/promises';
import { RcnnError } from '@rcnn/core/errors';
import { type ByteSource, checkRange } from '../byte-source.ts';
import { fileError } from './file-system.ts';

/** A pipe without a writer would make `open` wait for ever. Windows knows neither pipes in folders nor the flag. */
const AT_ONCE: number = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);

/**
 * Opens a file for reads by range; it stays open until `close`.
 * @throws FILE_MISSING, IO_FAILED; FILE_REFUSED for a folder, pipe, device or socket
 */
export async function fileSource(path: string): Promise<ByteSource> {
  let file: Awaited<ReturnType<typeof open>>;
  try {
    file = await open(path, AT_ONCE);
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ENXIO') throw notAFile(path); // a socket cannot even be opened
    throw fileError(path, 'cannot be opened', error);
  }
  const stats = await file.stat();
  if (!stats.isFile()) {
    await file.close();
    throw notAFile(path, stats);
  }
  const { size } = stats;
  return {
    name: path,
    size,
    async read(offset, length) {
      checkRange({ name: path, size }, offset, length);
      const bytes = new Uint8Array(Buffer.allocUnsafeSlow(length).buffer); // every byte is read, so none is cleared
      for (let at = 0; at < length; ) {
        // A read of 2 GiB and more may come in parts.
        const { bytesRead } = await file.read(bytes, at, Math.min(length - at, 1 << 30), offset + at).catch((error) => {
          throw fileError(path, 'cannot be read', error);
        });
        if (bytesRead === 0) checkRange({ name: path, size: offset + at }, offset, length);
        at += bytesRead;
      }
      return bytes;
    },
    close: () => file.close(),
  };
}

/** Only what has a size and an end is read: a pipe may never end, a device never does. */
function notAFile(path: string, stats?: Stats): RcnnError {
  const kinds = { isDirectory: 'a folder', isFIFO: 'a pipe', isCharacterDevice: 'a device', isBlockDevice: 'a device' };
  const kind = (Object.keys(kinds) as (keyof typeof kinds)[]).find((is) => stats?.[is]());
  return new RcnnError('FILE_REFUSED', {
    where: path,
    problem: 'not a regular file',
    found: kind === undefined ? 'a socket' : kinds[kind],
    hint: 'Name a file.',
  });
}

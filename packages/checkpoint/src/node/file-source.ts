import { readSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { fileError, openRegular } from '@rcnn/files';
import { type ByteSource, checkRange } from '../byte-source.ts';

/**
 * Opens a file for reads by range; it stays open until `close`.
 * @throws FILE_MISSING, IO_FAILED; FILE_REFUSED for a folder, pipe, device or socket
 */
export async function fileSource(path: string): Promise<ByteSource> {
  const file = await openRegular(path);
  const { size } = await file.stat();
  return {
    name: path,
    size,
    async read(offset, length, into) {
      checkRange({ name: path, size }, offset, length);
      const fits = into !== undefined && into.byteLength >= length;
      // Every byte is read, so none is cleared.
      const bytes = fits ? into.subarray(0, length) : new Uint8Array(Buffer.allocUnsafeSlow(length).buffer);
      for (let at = 0; at < length; ) {
        const bytesRead = await readSome(file, bytes, at, length - at, offset + at).catch((error) => {
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

/** Fewer bytes are read at once: asking another thread for them takes ten times as long as reading them. */
const FEW = 2 ** 14;

/** A read of 2 GiB and more may come in parts. Gives how many bytes were read. */
async function readSome(
  file: FileHandle,
  bytes: Uint8Array,
  at: number,
  length: number,
  position: number,
): Promise<number> {
  if (length < FEW) return readSync(file.fd, bytes, at, length, position);
  return (await file.read(bytes, at, Math.min(length, 1 << 30), position)).bytesRead;
}

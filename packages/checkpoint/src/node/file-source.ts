import { open } from 'node:fs/promises';
import { type ByteSource, checkRange } from '../byte-source.ts';
import { fileError } from './file-system.ts';

/** Opens a file for reads by range; it stays open until `close`. @throws FILE_MISSING, IO_FAILED */
export async function fileSource(path: string): Promise<ByteSource> {
  let file: Awaited<ReturnType<typeof open>>;
  try {
    file = await open(path, 'r');
  } catch (error) {
    throw fileError(path, 'cannot be opened', error);
  }
  const { size } = await file.stat();
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

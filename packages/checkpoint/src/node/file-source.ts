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

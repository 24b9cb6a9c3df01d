import { type ErrorCode, RcnnError } from '@rcnn/core/errors';
import { openRegular } from '@rcnn/files';

/** The bytes of a file. @throws as `openRegular` of `@rcnn/files`, and FILE_REFUSED for one larger than `most` bytes */
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

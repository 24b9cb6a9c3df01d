import { fileError, openRegular } from '@rcnn/files';
import { type DecodedImage, type DecodeOptions, decodeImage } from './decode.ts';

/**
 * An image file as people see it: turned as its EXIF orientation says, unless asked otherwise.
 * @throws FILE_MISSING, FILE_REFUSED, IO_FAILED, and what `decodeImage` throws
 */
export async function readImage(file: string, options: DecodeOptions = {}): Promise<DecodedImage> {
  return decodeImage(await bytesOf(file), { orientation: 'apply', name: file, ...options });
}

async function bytesOf(path: string): Promise<Uint8Array> {
  const file = await openRegular(path);
  try {
    return await file.readFile();
  } catch (error) {
    throw fileError(path, 'the file cannot be read', error);
  } finally {
    await file.close();
  }
}

import { CAMERA_RAW, type OtherFormat } from './image-format.ts';

/** Tags of a directory that decide whether its picture can be read; each has one value, which stands in the entry. */
const TAG = { subfile: 254, compression: 259, photometric: 262, dngVersion: 50706 };

/** Bytes that a directory of usual length fits into. */
export const DIRECTORY_BYTES = 8192;

/** The byte offset of a TIFF's first directory; undefined where the header is cut. */
export function tiffDirectoryAt(head: Uint8Array): number | undefined {
  if (head.length < 16) return undefined;
  const { view, little, isBig } = readerOf(head);
  return isBig ? Number(view.getBigUint64(8, little)) : view.getUint32(4, little);
}

/**
 * What a TIFF is that decoders would show in wrong colours, or only the preview of.
 * @param directory the bytes from {@link tiffDirectoryAt} on
 * @returns undefined for a picture, also for one whose directory is cut: whoever decodes it says so
 */
export function otherTiff(head: Uint8Array, directory: Uint8Array): OtherFormat | undefined {
  const tags = tagsOf(head, directory);
  // Canon says so in its header; a first picture that is only a preview of another is what Nikon, Sony and Adobe write.
  const isCanon = String.fromCharCode(...head.subarray(8, 10)) === 'CR';
  const isPreview = ((tags.get(TAG.subfile) ?? 0) & 1) === 1;
  const colours = tags.get(TAG.photometric) ?? 1;
  if (isCanon || isPreview || tags.has(TAG.dngVersion) || colours === 32803 || colours === 34892) return CAMERA_RAW;
  const isYCbCr = colours === 6 && tags.get(TAG.compression) !== 7; // the decoder of JPEG makes RGB of it
  if (!isYCbCr && [0, 1, 2, 3, 5, 6].includes(colours)) return undefined;
  return { name: `a TIFF in ${COLOURS[colours] ?? 'other colours'}`, hint: 'Convert it to RGB.' };
}

const COLOURS: Readonly<Record<number, string>> = {
  4: 'transparency',
  6: 'YCbCr',
  8: 'CIELab',
  9: 'ICCLab',
  10: 'ITULab',
};

function tagsOf(head: Uint8Array, bytes: Uint8Array): ReadonlyMap<number, number> {
  const { little, isBig } = readerOf(head);
  const directory = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [first, length, value] = isBig ? [8, 20, 12] : [2, 12, 8];
  const tags = new Map<number, number>();
  if (bytes.length < first) return tags;
  const count = isBig ? Number(directory.getBigUint64(0, little)) : directory.getUint16(0, little);
  for (let i = 0, at = first; i < count && at + length <= bytes.length; i++, at += length) {
    const isLong = directory.getUint16(at + 2, little) === 4;
    const stated = isLong ? directory.getUint32(at + value, little) : directory.getUint16(at + value, little);
    tags.set(directory.getUint16(at, little), stated);
  }
  return tags;
}

function readerOf(head: Uint8Array): { readonly view: DataView; readonly little: boolean; readonly isBig: boolean } {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const little = head[0] === 0x49;
  return { view, little, isBig: view.getUint16(2, little) === 43 };
}

/** What a file is, by its first bytes: the endings of names are often wrong. */
export type ImageFormat = 'jpeg' | 'png' | 'gif' | 'webp' | 'tiff' | 'bmp' | 'avif';

/** A file that is no picture we read, in words for people. */
export interface OtherFormat {
  readonly name: string;
  /** What to do about it, as a sentence. */
  readonly hint: string;
}

const CONVERT = 'Convert it to JPEG or PNG.';
const UNPACK = 'Unpack it first, and name the pictures.';

/** Of TIFFs their directory tells it, of others their first bytes. */
export const CAMERA_RAW: OtherFormat = {
  name: 'the raw file of a camera',
  hint: 'Raw files are not read: develop it to JPEG or TIFF, as the camera itself does for its screen.',
};

/** HEIF and AVIF are one container; the brand tells what is in it. */
const HEIC_BRANDS = ['heic', 'heix', 'hevc', 'hevx', 'heim', 'heis', 'mif1', 'msf1'];

/** The format of a picture, or what else the bytes are. Undefined when they are nothing known. */
export function imageFormatOf(bytes: Uint8Array): ImageFormat | OtherFormat | undefined {
  const text = (at: number, length: number): string => String.fromCharCode(...bytes.subarray(at, at + length));
  if (bytes.length === 0)
    return { name: 'an empty file', hint: 'Fetch the file again, or leave it out of the dataset.' };
  if (bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff) return 'jpeg';
  if (text(0, 8) === '\u0089PNG\r\n\u001a\n') return 'png';
  if (/^GIF8[79]a/.test(text(0, 6))) return 'gif';
  if (text(0, 4) === 'RIFF' && text(8, 4) === 'WEBP') return 'webp';
  if (['II*\0', 'MM\0*', 'II+\0', 'MM\0+'].includes(text(0, 4))) return 'tiff';
  if (text(0, 2) === 'BM' && bytes.length >= 26) return 'bmp';
  if (text(4, 4) === 'ftyp') return containerOf(brandsOf(bytes, text));
  return otherFormatOf(text);
}

/** The main brand of a container, and those that it is readable as: `mif1` alone says neither HEIC nor AVIF. */
function brandsOf(bytes: Uint8Array, text: (at: number, length: number) => string): readonly string[] {
  const size = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(0);
  const brands = [text(8, 4)];
  for (let at = 16; at + 4 <= Math.min(size, 256, bytes.length); at += 4) brands.push(text(at, 4));
  return brands;
}

function containerOf(brands: readonly string[]): ImageFormat | OtherFormat {
  if (brands.some((brand) => brand === 'avif' || brand === 'avis')) return 'avif';
  if (brands[0] === 'crx ') return CAMERA_RAW;
  if (brands.some((brand) => HEIC_BRANDS.includes(brand)))
    return {
      name: 'an HEIC photograph',
      hint: 'HEIC is not read: convert it to JPEG, as phones do when they send one.',
    };
  return { name: 'a film or another file of the MP4 family', hint: 'Take single pictures out of it.' };
}

function otherFormatOf(text: (at: number, length: number) => string): OtherFormat | undefined {
  const start = text(0, 1024)
    .replace(/^\u00ef\u00bb\u00bf/, '')
    .trimStart();
  if (/^<svg[\s>]/i.test(start) || (/^<(?:\?xml|!doctype svg|!--)/i.test(start) && /<svg[\s>]|svg/i.test(start)))
    return { name: 'an SVG drawing', hint: 'A drawing is not a photograph: render it to PNG first.' };
  if (/^(?:<!doctype html|<html)/i.test(start))
    return { name: 'a web page', hint: 'The download went wrong: fetch the picture again.' };
  const known: readonly (readonly [start: string, name: string, hint?: string])[] = [
    ['version https://git-lfs', 'a pointer of Git LFS', "Run 'git lfs pull' to fetch the picture itself."],
    ['%PDF', 'a PDF document'],
    ['8BPS', 'a Photoshop file'],
    ['\u00ff\u000a', 'a JPEG XL picture'],
    ['\0\0\0\u000cJXL ', 'a JPEG XL picture'],
    ['\0\0\0\u000cjP  ', 'a JPEG 2000 picture'],
    ['\u00ff\u004f\u00ff\u0051', 'a JPEG 2000 picture'],
    ['\u0093NUMPY', 'a NumPy array'],
    ['\0\0\u0001\0', 'an icon'],
    ['v/1\u0001', 'an OpenEXR picture'],
    ['#?RADIANCE', 'a Radiance picture'],
    ['qoif', 'a QOI picture'],
    ['DICM', 'a DICOM picture'],
    ['PK\u0003\u0004', 'a ZIP archive', UNPACK],
    ['\u001f\u008b', 'a file packed by gzip', UNPACK],
    ['\u00fd7zXZ', 'a file packed by xz', UNPACK],
    ['BZh', 'a file packed by bzip2', UNPACK],
    ['(\u00b5/\u00fd', 'a file packed by zstd', UNPACK],
    ['FUJIFILMCCD-RAW', CAMERA_RAW.name, CAMERA_RAW.hint],
    ['IIRO', CAMERA_RAW.name, CAMERA_RAW.hint],
    ['IIU\0', CAMERA_RAW.name, CAMERA_RAW.hint],
    ['\0\u0005\u0016\u0007', 'a companion file of macOS', 'The picture itself has the name without ._ before it.'],
  ];
  const found = known.find(([magic]) => text(0, magic.length) === magic);
  if (found !== undefined) return { name: found[1], hint: found[2] ?? CONVERT };
  if (/^P[1-7]\s/.test(text(0, 3))) return { name: 'a PNM picture', hint: CONVERT };
  if (text(128, 4) === 'DICM') return { name: 'a DICOM picture', hint: CONVERT };
  if (text(257, 5) === 'ustar') return { name: 'a tar archive', hint: UNPACK };
  if (start.length >= 4 && /^[\t\n\r -~]+$/.test(start))
    return { name: 'a text', hint: 'Is it the picture that was meant, or what a server said instead of it?' };
  return undefined;
}

import type { PixelImage } from '@rcnn/core';
import { RcnnError } from '@rcnn/core/errors';
import { openRegular } from '@rcnn/files';
import sharp from 'sharp';
import { bmpSize, decodeBmp } from '../../images/bmp.ts';
import { type ImageFormat, imageFormatOf } from '../../images/image-format.ts';
import { DIRECTORY_BYTES, otherTiff, tiffDirectoryAt } from '../../images/tiff-directory.ts';

export interface DecodeOptions {
  /** Named in errors. Default `image`. */
  readonly name?: string;
  /** Images that claim more pixels are refused before anything is decoded. Default 64 million. */
  readonly maxPixels?: number;
  /** Seconds after which decoding is given up. Default 30. */
  readonly maxSeconds?: number;
  /**
   * EXIF orientation: `ignore` (the default; annotations count stored pixels, as torchvision does) or `apply` (what
   * viewers show).
   */
  readonly orientation?: 'ignore' | 'apply';
}

/** Of the decoding of one image. */
const MAX_SECONDS = 30;

/** Pixels, and how many pictures stood beside them. */
export interface DecodedImage extends PixelImage {
  /** Pages of a TIFF or frames of an animation, of which these are the first; absent where there is one. */
  readonly pages?: number;
}

/** The default of {@link DecodeOptions.maxPixels}. */
export const MAX_PIXELS = 64_000_000;

/**
 * Decodes a JPEG, PNG, WebP, TIFF, GIF, AVIF or BMP to uint8 RGB, bit for bit as Pillow's `convert('RGB')` does for JPEG and
 * 8-bit PNG: colour profiles are ignored, alpha is dropped, grey becomes three equal channels, and inks
 * (CMYK) become light by the same plain rule. What the bytes are is told before a library sees them: nothing else, such as
 * an SVG, is ever drawn. Of pages or frames it is the first, and `pages` says how many there are.
 * @throws IMAGE_CORRUPT, IMAGE_TOO_LARGE, IMAGE_TOO_SLOW
 */
export async function decodeImage(bytes: Uint8Array, options: DecodeOptions = {}): Promise<DecodedImage> {
  const { name = 'image', maxPixels = MAX_PIXELS, maxSeconds = MAX_SECONDS, orientation = 'ignore' } = options;
  const format = requireFormat(bytes, directoryIn(bytes), name);
  if (format === 'bmp') return boundedBmp(bytes, name, maxPixels);
  const input = sharp(bytes, { limitInputPixels: maxPixels, failOn: 'error', ignoreIcc: true });
  input.timeout({ seconds: Math.ceil(maxSeconds) });
  if (orientation === 'apply') input.autoOrient();
  try {
    const metadata = format === 'png' ? undefined : await input.metadata(); // a PNG has levels, light and one picture
    if (metadata !== undefined) requireLevels(metadata.depth, name);
    const { pages = 1 } = metadata ?? {};
    const inks = metadata?.space === 'cmyk';
    if (inks) input.pipelineColourspace('cmyk').toColourspace('cmyk');
    else input.toColourspace('srgb').removeAlpha();
    const decoding = input.raw().toBuffer({ resolveWithObject: true });
    const { data, info } = await within(maxSeconds, decoding);
    // A copy: memory that native code lent cannot be sent between threads.
    const light = inks ? lightOf(data, info.channels) : new Uint8Array(data);
    return { data: light, height: info.height, width: info.width, channels: 3, ...(pages > 1 && { pages }) };
  } catch (cause) {
    if (cause instanceof RcnnError) throw cause;
    if (cause === TOO_SLOW || (cause instanceof Error && cause.message.startsWith('timeout'))) {
      throw new RcnnError('IMAGE_TOO_SLOW', {
        where: name,
        problem: 'decoding takes too long',
        expected: `at most ${maxSeconds} seconds`,
        hint: 'Leave the image out, or try again when the machine has less to do; in TypeScript maxSeconds allows for more.',
      });
    }
    throw decodeError(cause, name, maxPixels);
  }
}

/** Pillow's rule for inks: what black leaves of the light, less the share that each ink takes. */
function lightOf(inks: Uint8Array, channels: number): Uint8Array {
  const count = inks.length / channels;
  const data = new Uint8Array(3 * count);
  for (let i = 0; i < count; i++) {
    const left = 255 - inks[channels * i + 3]!;
    for (let c = 0; c < 3; c++) {
      const product = inks[channels * i + c]! * left + 128;
      data[3 * i + c] = Math.max(0, left - (((product >> 8) + product) >> 8));
    }
  }
  return data;
}

function boundedBmp(bytes: Uint8Array, name: string, maxPixels: number): PixelImage {
  const [height, width] = bmpSize(bytes, name);
  if (height * width > maxPixels) throw decodeError(new Error('exceeds pixel limit'), name, maxPixels);
  return decodeBmp(bytes, name);
}

/** The list of formats, enforced before a library sees the file. @throws IMAGE_CORRUPT that names what it is */
function requireFormat(bytes: Uint8Array, directory: Uint8Array | undefined, name: string): ImageFormat {
  const told = imageFormatOf(bytes);
  const format = (told === 'tiff' && directory !== undefined && otherTiff(bytes, directory)) || told;
  if (typeof format === 'string') return format;
  throw new RcnnError('IMAGE_CORRUPT', {
    where: name,
    problem: format === undefined ? 'the image cannot be decoded' : 'this is no picture of a format that is read',
    found: format === undefined ? 'bytes of no format that is known' : format.name,
    expected: 'JPEG, PNG, WebP, TIFF, GIF, AVIF or BMP',
    hint: format?.hint ?? 'Fetch the file again, or leave it out of the dataset.',
  });
}

/** The first directory of a file that is a TIFF. */
function directoryIn(bytes: Uint8Array): Uint8Array | undefined {
  const at = imageFormatOf(bytes) === 'tiff' ? tiffDirectoryAt(bytes) : undefined;
  return at === undefined ? undefined : bytes.subarray(at, at + DIRECTORY_BYTES);
}

/** Refuses samples of which nobody can tell how bright they are. @throws IMAGE_CORRUPT */
function requireLevels(depth: string, name: string): void {
  if (depth === 'uchar' || depth === 'ushort') return;
  throw new RcnnError('IMAGE_CORRUPT', {
    where: name,
    problem: 'which of its values is white is not said in the file',
    found: `samples of type ${depth}`,
    expected: '8 or 16 bits without a sign',
    hint: 'Scale the values to 8 or 16 bits; which range shows what you look for, only you know.',
  });
}

const TOO_SLOW = Symbol('too slow');

/**
 * Rejects with TOO_SLOW when the work takes longer. Native code then still runs: its own timeout ends it as soon as its
 * codec tells of progress, which not every codec does.
 */
async function within<T>(seconds: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const tooSlow = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(TOO_SLOW), 1000 * seconds);
  });
  try {
    return await Promise.race([work, tooSlow]);
  } finally {
    clearTimeout(timer);
  }
}

/** What the header of an image says; pixels are not touched. */
export interface ImageHeader {
  /** `[height, width]` as stored. */
  readonly size: readonly [height: number, width: number];
  /** EXIF orientation, 1 … 8; 1 when there is none. */
  readonly orientation: number;
  readonly format: string;
  /** Pages of a TIFF or frames of an animation, of which the first is read; 1 for all else. */
  readonly pages: number;
}

const HEAD_BYTES = 4096;

/** The first bytes of a file, and of a TIFF those of its directory, which may stand at the end. */
async function headOf(path: string): Promise<readonly [head: Uint8Array, directory: Uint8Array | undefined]> {
  const handle = await openRegular(path, 'IMAGE_MISSING');
  const part = async (at: number, length: number): Promise<Uint8Array> => {
    const { buffer, bytesRead } = await handle.read(new Uint8Array(length), 0, length, at);
    return buffer.subarray(0, bytesRead);
  };
  try {
    const head = await part(0, HEAD_BYTES);
    const at = imageFormatOf(head) === 'tiff' ? tiffDirectoryAt(head) : undefined;
    return [head, at === undefined || !Number.isSafeInteger(at) ? undefined : await part(at, DIRECTORY_BYTES)];
  } finally {
    await handle.close();
  }
}

/** @param input bytes, or the path of a file. @throws IMAGE_CORRUPT, IMAGE_MISSING, FILE_REFUSED */
export async function readImageHeader(input: Uint8Array | string, name: string): Promise<ImageHeader> {
  const [head, directory] = typeof input === 'string' ? await headOf(input) : [input, directoryIn(input)];
  if (requireFormat(head, directory, name) === 'bmp')
    return { size: bmpSize(head, name), orientation: 1, format: 'bmp', pages: 1 };
  try {
    const {
      width,
      height,
      orientation = 1,
      format,
      depth,
      pages = 1,
    } = await sharp(input, { limitInputPixels: false }).metadata();
    requireLevels(depth, name);
    return { size: [height, width], orientation, format, pages };
  } catch (cause) {
    if (cause instanceof RcnnError) throw cause;
    throw decodeError(cause, name, Number.POSITIVE_INFINITY);
  }
}

/** The decoders' words, each once: they tell of a fault at every try, and of each try to go on. */
function wordsOf(message: string): string {
  // They are in one place for all threads: now and then another thread has taken them.
  if (message === 'Unknown error') return 'damaged or missing data';
  const lines = message
    .split('\n')
    .map((line) => line.replace(/^Input \w+ has corrupt header: /, '').trim())
    .filter((line) => line !== '' && !line.startsWith('source: bad seek'));
  return [...new Set(lines)].slice(0, 3).join('; ');
}

function decodeError(cause: unknown, name: string, maxPixels: number): RcnnError {
  const message = cause instanceof Error ? cause.message : String(cause);
  if (/exceeds pixel limit/i.test(message)) {
    return new RcnnError('IMAGE_TOO_LARGE', {
      where: name,
      problem: 'the image has too many pixels',
      expected: `at most ${maxPixels / 1e6} million`,
      hint: 'Resize it, or raise maxPixels (--max-pixels) if you trust where it comes from.',
      cause,
    });
  }
  return new RcnnError('IMAGE_CORRUPT', {
    where: name,
    problem: 'the image cannot be decoded',
    found: wordsOf(message),
    hint: /not configured|unsupported|bad labq/i.test(message)
      ? 'Convert it to JPEG or PNG.'
      : 'Fetch the file again, or leave it out of the dataset.',
    cause,
  });
}

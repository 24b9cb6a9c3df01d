import { decodeImage } from '@rcnn/coco-data/node';
import { isRcnnError, RcnnError } from '@rcnn/core/errors';
import { imageFiles } from '../pictures/image-files.ts';
import { type ReadImageOptions, readImage } from '../pictures/read-image.ts';
import { imageIds } from './image-ids.ts';
import type { Input, ReadingOptions } from './input.ts';

/** Bytes that are taken from an address or a pipe at most: an endless one must end. */
const MAX_BYTES = 256 * 2 ** 20;

/** Seconds without a byte after which an address is given up. */
const STALLED = 30;

/** The images that arguments name: files, folders, patterns, addresses, and `-` for the bytes on stdin. */
export async function imageInputs(
  args: readonly string[],
  { maxPixels, autoOrient }: ReadingOptions,
): Promise<Input[]> {
  const options: ReadImageOptions = {
    orientation: autoOrient === false ? 'ignore' : 'apply',
    ...(maxPixels !== undefined && { maxPixels }),
  };
  const sources: Omit<Input, 'id'>[] = [];
  let missing: unknown;
  for (const arg of new Set(args)) {
    if (arg === '-') {
      const read = async () => decodeImage(await bytesOf(process.stdin, 'stdin'), { ...options, name: 'stdin' });
      sources.push({ file: 'stdin', read });
    } else if (isAddress(arg)) {
      sources.push({ file: arg, read: async () => decodeImage(await fetched(arg), { ...options, name: arg }) });
    } else {
      try {
        const files = await imageFiles('predict', [arg]);
        sources.push(...files.map((file) => ({ file, read: () => readImage(file, options) })));
      } catch (error) {
        if (!isRcnnError(error)) throw error;
        missing ??= error;
        sources.push({ file: arg, read: () => Promise.reject(error) });
      }
    }
  }
  // One name that is wrong costs itself; when it is the only one, there is nothing else to do.
  if (missing !== undefined && sources.length === 1) throw missing;
  const unique = [...new Map(sources.map((source) => [source.file, source])).values()];
  const ids = imageIds(unique.map(({ file }) => nameOf(file)));
  return unique.map(({ file, read }) => ({ file, id: ids.get(nameOf(file))!, read }));
}

export function isAddress(text: string): boolean {
  return /^https?:\/\//i.test(text);
}

/** Of an address its path: query and host are no part of an id unless they must tell two apart. */
function nameOf(file: string): string {
  return isAddress(file) ? decodeURI(file.replace(/[?#].*$/, '')) : file;
}

async function fetched(address: string): Promise<Uint8Array> {
  const controller = new AbortController();
  let timer = setTimeout(() => controller.abort(), STALLED * 1000);
  const heard = (): void => {
    clearTimeout(timer);
    timer = setTimeout(() => controller.abort(), STALLED * 1000);
  };
  try {
    const response = await fetch(address, { signal: controller.signal });
    if (!response.ok || response.body === null) throw failed(address, `HTTP ${response.status}`);
    return await bytesOf(response.body as unknown as AsyncIterable<Uint8Array>, address, heard);
  } catch (error) {
    if (error instanceof RcnnError) throw error;
    const stalled = controller.signal.aborted ? `nothing for ${STALLED} s` : undefined;
    throw failed(address, stalled ?? causeOf(error), error);
  } finally {
    clearTimeout(timer);
    controller.abort();
  }
}

function failed(where: string, found: string, cause?: unknown): RcnnError {
  return new RcnnError('DOWNLOAD_FAILED', { where, problem: 'the image could not be fetched', found, cause });
}

/** `fetch failed` says nothing; its cause does. */
function causeOf(error: unknown): string {
  const { cause } = error as { cause?: unknown };
  if (cause instanceof Error) return (cause as NodeJS.ErrnoException).code ?? cause.message;
  return error instanceof Error ? error.message : String(error);
}

/** All bytes of a stream, up to a limit. @throws IMAGE_TOO_LARGE */
async function bytesOf(stream: AsyncIterable<Uint8Array>, where: string, heard?: () => void): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of stream) {
    heard?.();
    chunks.push(chunk);
    length += chunk.length;
    if (length > MAX_BYTES) {
      const expected = `at most ${MAX_BYTES / 2 ** 20} MiB`;
      throw new RcnnError('IMAGE_TOO_LARGE', { where, problem: 'there are too many bytes', expected });
    }
  }
  return Buffer.concat(chunks);
}

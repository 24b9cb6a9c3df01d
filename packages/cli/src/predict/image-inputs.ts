import { type DecodeOptions, decodeImage, fetchImage, imageBytes, readImage } from '@rcnn/coco-data/node';
import { isRcnnError } from '@rcnn/core/errors';
import { imageFiles } from '../pictures/image-files.ts';
import { imageIds } from './image-ids.ts';
import type { Input, ReadingOptions } from './input.ts';

/** The images that arguments name: files, folders, patterns, addresses, and `-` for the bytes on stdin. */
export async function imageInputs(
  args: readonly string[],
  { maxPixels, autoOrient }: ReadingOptions,
): Promise<Input[]> {
  const options: Pick<DecodeOptions, 'maxPixels' | 'orientation'> = {
    orientation: autoOrient === false ? 'ignore' : 'apply',
    ...(maxPixels !== undefined && { maxPixels }),
  };
  const sources: Omit<Input, 'id'>[] = [];
  let missing: unknown;
  for (const arg of new Set(args)) {
    if (arg === '-') {
      const read = async () => decodeImage(await imageBytes(process.stdin, 'stdin'), { ...options, name: 'stdin' });
      sources.push({ file: 'stdin', read });
    } else if (isAddress(arg)) {
      sources.push({ file: arg, read: async () => decodeImage(await fetchImage(arg), { ...options, name: arg }) });
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

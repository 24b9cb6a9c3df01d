import { decodeImage, fetchImage, imageBytes, readImage } from '@rcnn/coco-data/node';
import { isRcnnError, RcnnError } from '@rcnn/core/errors';
import { isAddress } from '../output/places.ts';
import { imageFiles } from '../pictures/image-files.ts';
import { onceEach } from '../pictures/once-each.ts';
import { imageIds } from './image-ids.ts';
import type { Input, ReadingOptions } from './input.ts';
import { TAR_FILE, type TarReading, tarImages } from './tar-images.ts';
import type { Unit } from './unit.ts';

export interface UnitOptions extends ReadingOptions {
  /** Names of a list. */
  readonly listed?: readonly string[] | undefined;
  /** Fetch nothing from the network. */
  readonly offline?: boolean | undefined;
}

type SourceReading = TarReading & Pick<UnitOptions, 'offline'>;

/**
 * What arguments and a list name: image files, folders, patterns, addresses, tar archives, and `-` for the bytes of an
 * image on stdin. Names in a list are names and no patterns, and are looked at when their turn comes.
 */
export async function imageUnits(
  args: readonly string[],
  { maxPixels, autoOrient, offline, listed = [] }: UnitOptions,
): Promise<Unit[]> {
  const options: SourceReading = {
    offline,
    orientation: autoOrient === false ? 'ignore' : 'apply',
    ...(maxPixels !== undefined && { maxPixels }),
  };
  const sources: Source[] = [];
  let missing: unknown;
  for (const arg of new Set(args)) {
    if (arg === '-') {
      const read = async () => decodeImage(await imageBytes(process.stdin, 'stdin'), { ...options, name: 'stdin' });
      sources.push({ file: 'stdin', read });
    } else if (isAddress(arg)) {
      sources.push(sourceOf(arg, options));
    } else {
      try {
        const files = await imageFiles('predict', [arg], TAR_FILE);
        sources.push(...files.map((file) => sourceOf(file, options)));
      } catch (error) {
        if (!isRcnnError(error)) throw error;
        missing ??= error;
        sources.push({ file: arg, read: () => Promise.reject(error) });
      }
    }
  }
  // One name that is wrong costs itself; when it is the only one, there is nothing else to do.
  if (missing !== undefined && sources.length === 1 && listed.length === 0) throw missing;
  for (const name of listed) sources.push(sourceOf(name, options));
  const unique = onceEach(sources, ({ file }) => file);
  const names = distinctNames(unique.flatMap((source) => ('read' in source ? [source.file] : [])));
  const ids = imageIds([...names.values()]);
  return unique.map((source): Unit => {
    if (!('read' in source)) return { name: source.file, images: source.images };
    const { file, read } = source;
    return { name: file, images: { file, id: ids.get(names.get(file)!)!, read } };
  });
}

type Source = Omit<Input, 'id'> | { readonly file: string; readonly images: () => AsyncIterable<Input> };

/** A file, archive or address by its name alone. */
function sourceOf(file: string, options: SourceReading): Source {
  if (isAddress(file)) {
    if (options.offline === true) return { file, read: () => Promise.reject(offline(file)) };
    return { file, read: async () => decodeImage(await fetchImage(file), { ...options, name: file }) };
  }
  if (TAR_FILE.test(file)) return { file, images: () => tarImages(file, options) };
  return { file, read: () => readImage(file, options) };
}

function offline(where: string): RcnnError {
  return new RcnnError('OFFLINE', {
    where,
    problem: 'the image is on the network, which --offline forbids',
    hint: 'Download it first, or leave --offline out.',
  });
}

/** What files are known by: addresses that differ in query or fragment alone, whole. */
function distinctNames(files: readonly string[]): ReadonlyMap<string, string> {
  const counts = new Map<string, number>();
  for (const file of files) counts.set(nameOf(file), (counts.get(nameOf(file)) ?? 0) + 1);
  return new Map(files.map((file) => [file, counts.get(nameOf(file)) === 1 ? nameOf(file) : file]));
}

/** Of an address its path: query and host are no part of an id unless they must tell two apart. */
function nameOf(file: string): string {
  return isAddress(file) ? readablePath(file.replace(/[?#].*$/, '')) : file;
}

/** `%20` as a space; escapes that are wrong stay as they are. */
function readablePath(address: string): string {
  try {
    return decodeURI(address);
  } catch {
    return address;
  }
}

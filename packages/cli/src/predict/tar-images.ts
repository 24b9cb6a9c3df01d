import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { type DecodeOptions, decodeImage } from '@rcnn/coco-data/node';
import { quoteName, RcnnError } from '@rcnn/core/errors';
import { openRegular, PHOTOGRAPH, photographs } from '@rcnn/files';
import { extract, type Header } from 'tar-stream';
import type { Input } from './input.ts';

/** Archives of images as WebDataset has them. */
export const TAR_FILE: RegExp = /\.(tar|tar\.gz|tgz)$/i;

/** Bytes of one image in an archive at most. */
const MAX_BYTES = 256 * 2 ** 20;

/** How the images of an archive are read. */
export type TarReading = Pick<DecodeOptions, 'maxPixels' | 'orientation'>;

/**
 * The images of a tar archive, in its order, one in memory at a time. Nothing is unpacked to the disk: a name in the
 * archive is only a name. What is no image by its ending (labels, captions) is passed over; what is called like one and
 * is no file (a link, a device) says so when it is read. An image is known as `archive.tar/its/name`, in results by that without ending.
 *
 * An archive that is cut short or broken costs the images behind the break, and one without images is a mistake: the
 * last input says so when it is read.
 */
export async function* tarImages(file: string, options: TarReading): AsyncGenerator<Input> {
  const names = new Set<string>();
  try {
    for await (const { header, bytes } of entries(file)) {
      const name = `${file}/${header.name}`;
      const twice = names.has(header.name);
      names.add(header.name);
      const id = name.replaceAll('\\', '/').replace(PHOTOGRAPH, '');
      if (header.type !== 'file') yield { file: name, id, read: () => Promise.reject(notInside(name, header)) };
      else if (twice) yield { file: name, id, read: () => Promise.reject(sameName(name)) };
      else yield { file: name, id, read: async () => decodeImage(await bytes(), { ...options, name }) };
    }
  } catch (error) {
    const broken = error instanceof RcnnError ? error : brokenArchive(file, error);
    yield { file, id: file, read: () => Promise.reject(broken) };
    return;
  }
  if (names.size === 0) yield { file, id: file, read: () => Promise.reject(withoutImages(file)) };
}

/** Image entries; the bytes of one are there until the next is asked for. */
async function* entries(
  file: string,
): AsyncGenerator<{ readonly header: Header; readonly bytes: () => Promise<Uint8Array> }> {
  const handle = await openRegular(file);
  const tar = extract();
  const bytes = handle.createReadStream();
  const reading = /gz$/i.test(file) ? pipeline(bytes, createGunzip(), tar) : pipeline(bytes, tar);
  reading.catch(() => undefined); // the loop below gets the error
  try {
    for await (const entry of tar) {
      const { header } = entry;
      if (header.type !== 'directory' && photographs([header.name]).length > 0) {
        yield { header, bytes: () => bytesOf(entry as unknown as AsyncIterable<Uint8Array>, header, file) };
      }
      entry.resume();
    }
    await reading;
  } finally {
    tar.destroy();
    bytes.destroy();
    await reading.catch(() => undefined);
  }
}

async function bytesOf(entry: AsyncIterable<Uint8Array>, { name, size }: Header, file: string): Promise<Uint8Array> {
  if (size > MAX_BYTES) {
    throw new RcnnError('IMAGE_TOO_LARGE', {
      where: `${file}/${name}`,
      problem: 'there are too many bytes',
      found: `${Math.round(size / 2 ** 20)} MiB`,
      expected: `at most ${MAX_BYTES / 2 ** 20} MiB`,
    });
  }
  const chunks: Uint8Array[] = [];
  try {
    for await (const chunk of entry) chunks.push(chunk);
  } catch (cause) {
    throw brokenArchive(`${file}/${name}`, cause);
  }
  return Buffer.concat(chunks);
}

function notInside(where: string, { type, linkname }: Header): RcnnError {
  return new RcnnError('FILE_REFUSED', {
    where,
    problem: 'the archive holds no file of this name',
    found: linkname ? `a link to ${quoteName(linkname)}` : `a ${type}`,
    hint: 'Links in archives are not followed: pack the files themselves, as tar does with -h.',
  });
}

function sameName(where: string): RcnnError {
  return new RcnnError('DUPLICATE_ID', { where, problem: 'the archive has two images of this name' });
}

function withoutImages(where: string): RcnnError {
  return new RcnnError('DATASET_INVALID', {
    where,
    problem: 'there is no image in this archive',
    expected: 'files whose names end like images (.jpg, .png, …)',
  });
}

function brokenArchive(where: string, cause: unknown): RcnnError {
  return new RcnnError('FILE_MALFORMED', {
    where,
    problem: 'the archive cannot be read to its end',
    found: cause instanceof Error ? cause.message : String(cause),
    hint: 'Images before the break were used; was it copied whole?',
    cause,
  });
}

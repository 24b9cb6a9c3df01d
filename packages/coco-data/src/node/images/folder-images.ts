import { realpath } from 'node:fs/promises';
import { resolve, sep } from 'node:path';
import type { PixelImage } from '@rcnn/core';
import { RcnnError } from '@rcnn/core/errors';
import { fileError } from '@rcnn/files';
import { pathProblem } from '../../images/image-path.ts';
import type { ImageStore } from '../../images/image-store.ts';
import type { ImageRecord } from '../../records.ts';
import { readRegular } from '../files/regular-file.ts';
import { type DecodeOptions, decodeImage, readImageHeader } from './decode.ts';

export type FolderImagesOptions = Omit<DecodeOptions, 'name'>;

const MAX_FILE_BYTES = 512 * 2 ** 20;

/** Images of one folder. A name that leads out of it, by dots or by symbolic link, is refused. */
export class FolderImages implements ImageStore {
  readonly root: string;
  readonly options: FolderImagesOptions;
  #realRoot: Promise<string> | undefined;

  constructor(root: string, options: FolderImagesOptions = {}) {
    this.root = resolve(root);
    this.options = options;
  }

  async load(image: ImageRecord): Promise<PixelImage> {
    const name = `${this.root}${sep}${image.file}`;
    const bytes = await this.read(image.file);
    const pixels = await decodeImage(bytes, { ...this.options, name });
    const [height, width] = image.size;
    if (pixels.height === height && pixels.width === width) return pixels;
    // A record with the sides of the picture as it is shown: there its annotations were drawn.
    const { orientation } = await readImageHeader(bytes, name);
    const isTurned = this.options.orientation === 'apply';
    if (!isTurned && orientation >= 5 && pixels.height === width && pixels.width === height)
      return decodeImage(bytes, { ...this.options, name, orientation: 'apply' });
    throw otherSize(image, [pixels.height, pixels.width]);
  }

  /**
   * Whether a picture is there, may be read, begins as a picture does and has the size of its record: all that can be told
   * without decoding it.
   * @throws what {@link load} throws
   */
  async check(image: ImageRecord): Promise<void> {
    const name = `${this.root}${sep}${image.file}`;
    const { size, orientation } = await readImageHeader(await this.locate(image.file), name);
    const [height, width] = image.size;
    const isStored = size[0] === height && size[1] === width;
    const isShown = orientation >= 5 && size[0] === width && size[1] === height;
    if (!isShown && !(isStored && (this.options.orientation !== 'apply' || orientation < 5 || height === width)))
      throw otherSize(image, this.options.orientation === 'apply' && orientation >= 5 ? [size[1], size[0]] : size);
  }

  /** The bytes of a file below the folder. @throws PATH_REFUSED, IMAGE_MISSING, FILE_REFUSED for what is no file */
  async read(file: string): Promise<Uint8Array> {
    const path = await this.locate(file);
    return readRegular(path, MAX_FILE_BYTES, 'IMAGE_MISSING');
  }

  /** The real path of a file below the folder, symbolic links followed. @throws PATH_REFUSED, IMAGE_MISSING */
  async locate(file: string): Promise<string> {
    const textProblem = pathProblem(file);
    if (textProblem !== undefined) throw refused(file, textProblem);
    this.#realRoot ??= realpath(this.root).catch((cause: unknown) => {
      if (isForbidden(cause)) throw fileError(this.root, 'the folder cannot be read', cause);
      throw new RcnnError('FILE_MISSING', { where: this.root, problem: 'there is no such folder of images', cause });
    });
    const root = await this.#realRoot;
    const path = await realpath(resolve(root, file)).catch((cause: unknown) => {
      if (isForbidden(cause)) throw fileError(file, 'the file cannot be read', cause);
      throw new RcnnError('IMAGE_MISSING', {
        where: file,
        problem: 'there is no such image file',
        expected: `a file below ${this.root}`,
        cause,
      });
    });
    if (!path.startsWith(root.endsWith(sep) ? root : root + sep))
      throw refused(file, 'is a link that leaves its folder');
    return path;
  }
}

function otherSize({ file, id, size }: ImageRecord, found: ImageRecord['size']): RcnnError {
  return new RcnnError('IMAGE_SIZE_MISMATCH', {
    where: file,
    place: `image ${id}`,
    problem: 'the image has another size than its record',
    found: `${found[1]}x${found[0]}`,
    expected: `${size[1]}x${size[0]}`,
    hint: 'Boxes and masks would be in the wrong place. A rotated photograph may need the orientation setting.',
  });
}

/** Not missing, as everything else is that has no real path. */
function isForbidden(cause: unknown): boolean {
  const { code } = cause as NodeJS.ErrnoException;
  return code === 'EACCES' || code === 'EPERM';
}

function refused(file: string, why: string): RcnnError {
  return new RcnnError('PATH_REFUSED', {
    where: JSON.stringify(file),
    problem: `the file name ${why}`,
    hint: 'Image files are only read from below the folder of images.',
  });
}

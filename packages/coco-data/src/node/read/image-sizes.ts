import type { ImageSize } from '@rcnn/core';
import type { Problems } from '../../doctor/problems.ts';
import { readImageHeader } from '../images/decode.ts';
import type { FolderImages } from '../images/folder-images.ts';

/** Sizes of pictures whose records state none, from their files. */
export class ImageSizes {
  readonly store: FolderImages;
  readonly #turned: string[] = [];

  constructor(store: FolderImages) {
    this.store = store;
  }

  /** `[height, width]` of a picture as the loader will give it: stored, or turned where that was asked for. */
  async of(file: string): Promise<ImageSize> {
    const { size, orientation } = await readImageHeader(await this.store.locate(file), file);
    if (this.store.options.orientation === undefined && orientation > 1) this.#turned.push(file);
    return this.store.options.orientation === 'apply' && orientation >= 5 ? [size[1], size[0]] : size;
  }

  /** Tells once of the pictures where the size would have said whether people outlined them as shown, and there is none. */
  report(source: string, problems: Problems): void {
    const [first] = this.#turned;
    if (first === undefined) return;
    const which = this.#turned.length === 1 ? `${first} is` : `${this.#turned.length} pictures, such as ${first}, are`;
    const found = `${which} read as stored; autoOrient (--auto-orient) reads them as shown`;
    problems.add({ kind: 'orientation-unsaid', source, place: first, found });
  }
}

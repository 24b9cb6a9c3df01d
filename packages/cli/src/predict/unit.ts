import type { Input } from './input.ts';

/** What a list names: an image, or an archive of many. */
export interface Unit {
  readonly name: string;
  /** An image, or the images of an archive one after the other. */
  readonly images: Input | (() => AsyncIterable<Input>);
}

/** All images, in order. */
export async function* imagesOf(units: readonly Unit[]): AsyncGenerator<Input> {
  for (const { images } of units) {
    if (typeof images === 'function') yield* images();
    else yield images;
  }
}

export function isArchive({ images }: Unit): boolean {
  return typeof images === 'function';
}

import { isNumberText } from './formats/json/fields.ts';
import type { ImageId, ImageRecord } from './records.ts';

/**
 * Ids that several files share: which of them an annotation means, nobody can tell.
 * @param others ids of records that do not say which file they mean
 */
export function sharedIds(images: readonly ImageRecord[], others: readonly ImageId[] = []): ReadonlySet<ImageId> {
  const files = new Map<ImageId, string>();
  const find = imagesById(images);
  const shared = new Set<ImageId>(others.flatMap((id) => find(id)?.id ?? []));
  for (const { id, file } of images) {
    if ((files.get(id) ?? file) !== file) shared.add(id);
    files.set(id, file);
  }
  return shared;
}

/** Finds images by id, and where one list has numbers and the other text (`3` and `"3"`), by the other form. */
export function imagesById<Image extends { readonly id: ImageId }>(
  images: readonly Image[],
): (id: ImageId) => Image | undefined {
  const exact = new Map(images.map((image) => [image.id, image]));
  return (id) => exact.get(id) ?? exact.get(otherForm(id));
}

/** `3` for `"3"`, and the other way round; text that is no number stays. */
export function otherForm(id: ImageId): ImageId {
  if (typeof id === 'number') return String(id);
  return isNumberText(id) ? Number(id) : id;
}

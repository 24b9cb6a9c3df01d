import { numberCategories } from '../../doctor/number-categories.ts';
import type { Problems } from '../../doctor/problems.ts';
import type { AnnotationSet, Category } from '../../records.ts';
import type { FolderImages } from '../images/folder-images.ts';
import type { DatasetSource } from '../read/reader.ts';

/** One split on its way into a copy. */
export interface ConvertedPart {
  readonly source: DatasetSource;
  readonly set: AnnotationSet;
  readonly store: FolderImages;
  readonly problems: Problems;
}

/**
 * The same splits with one numbering of categories, where an id would mean several names or a name have several ids: formats
 * that know names alone are numbered split by split. What a file said itself is told when it changes.
 */
export function numberedAlike(parts: readonly ConvertedPart[]): readonly ConvertedPart[] {
  const lists = parts.map(({ set }) => set.categories);
  if (agree(lists)) return parts;
  const { categories, splits } = numberCategories(lists);
  return parts.map(({ source, set, store, problems }, i) => {
    const { numbers, changes } = splits[i]!;
    const saidIds = source.format === 'coco' && set.categories.every(({ textId }) => textId === undefined);
    if (saidIds)
      for (const { place, what } of changes)
        problems.add({ kind: 'category-renumbered', source: set.source, place, found: what });
    return { source, store, problems, set: { ...withCategoryIds(set, numbers), categories } };
  });
}

function agree(lists: readonly (readonly Category[])[]): boolean {
  const [names, ids] = [new Map<number, string>(), new Map<string, number>()];
  return lists.every((list) => {
    const own = new Set(list.map(({ name }) => name));
    if (own.size < list.length) return true; // two classes of one name: which is which in another split, ids alone tell
    return list.every(({ id, name }) => {
      const isSame = (names.get(id) ?? name) === name && (ids.get(name) ?? id) === id;
      names.set(id, name);
      ids.set(name, id);
      return isSame;
    });
  });
}

function withCategoryIds(set: AnnotationSet, numbers: ReadonlyMap<number, number>): AnnotationSet {
  const known = (list: readonly number[]): readonly number[] => list.flatMap((id) => numbers.get(id) ?? []);
  return {
    ...set,
    images: set.images.map((image) => ({
      ...image,
      ...(image.negativeCategoryIds && { negativeCategoryIds: known(image.negativeCategoryIds) }),
      ...(image.notExhaustiveCategoryIds && { notExhaustiveCategoryIds: known(image.notExhaustiveCategoryIds) }),
    })),
    annotations: set.annotations.map((annotation) => ({
      ...annotation,
      categoryId: numbers.get(annotation.categoryId)!,
    })),
  };
}

import { plainName } from '@rcnn/coco-data';
import { quoteName, RcnnError } from '@rcnn/core/errors';
import type { RawCategory } from './coco-document.ts';
import type { Split } from './split.ts';

/** The categories of all splits, each number once: the first split that has it gives the name. */
export function allCategories(splits: readonly Split[]): readonly RawCategory[] {
  const byId = new Map<number, RawCategory>();
  for (const { document } of splits)
    for (const category of document.categories) if (!byId.has(category.id)) byId.set(category.id, category);
  return [...byId.values()];
}

/**
 * Refuses splits in which one number means two classes: whatever was done about it, objects of one of them would change
 * their class.
 * @throws DATASET_INVALID
 */
export function requireOneMeaning(folder: string, splits: readonly Split[]): void {
  const known = new Map<number, { readonly name: string; readonly file: string }>();
  for (const { document, file } of splits) {
    for (const { id, name } of document.categories) {
      const first = known.get(id);
      if (first === undefined) known.set(id, { name, file });
      else if (!isSameName(first.name, name)) {
        throw new RcnnError('DATASET_INVALID', {
          where: folder,
          problem: 'one id means two classes',
          found: `id ${id} is ${quoteName(first.name)} in ${quoteName(first.file)} and ${quoteName(name)} in ${quoteName(file)}`,
          expected: 'the same class in every split',
          hint: `Write a copy that numbers them alike, and open that: mask-rcnn doctor ${folder} --fix ${folder}-fixed`,
        });
      }
    }
  }
}

/** Whether people read two names as one: case, spaces and the form of Unicode say nothing to them. */
export function isSameName(a: string, b: string): boolean {
  return plainName(a) === plainName(b);
}

/** The categories of a file that gets objects, and the number that a class of all splits has in it. */
export interface Adopted {
  readonly categories: readonly RawCategory[];
  idOf(id: number): number;
}

/**
 * The categories that a file needs to hold objects of some classes. One is added where neither its number nor its name is
 * in the file; where the name has another number there, objects get that number.
 * @param used the numbers of the classes, in `all`
 */
export function adoptCategories(
  own: readonly RawCategory[],
  all: readonly RawCategory[],
  used: readonly number[],
): Adopted {
  const categories = [...own];
  const ids = new Map<number, number>();
  for (const id of new Set(used)) {
    const wanted = all.find((category) => category.id === id);
    const there = categories.find((category) => category.id === id) ?? namesake(categories, wanted);
    if (there !== undefined) ids.set(id, there.id);
    else if (wanted !== undefined) categories.push(wanted);
  }
  return { categories, idOf: (id) => ids.get(id) ?? id };
}

function namesake(categories: readonly RawCategory[], wanted: RawCategory | undefined): RawCategory | undefined {
  return wanted && categories.find(({ name }) => isSameName(name, wanted.name));
}

import { quoteName } from '@rcnn/core/errors';
import { plainName } from '../class-map.ts';
import type { Category } from '../records.ts';

/** What one split's categories become. */
export interface CategoryNumbers {
  /** New id by old one; an id that is missing means nothing certain. */
  readonly numbers: ReadonlyMap<number, number>;
  readonly changes: readonly CategoryChange[];
}

export interface CategoryChange {
  readonly action: 'renumbered category' | 'left out category';
  readonly place: string;
  readonly what: string;
}

/**
 * One numbering for the categories of all splits together, by name: an id means the same in each, none is 0. Ids stay as
 * they are where nothing speaks against them.
 * @returns the categories that every split of the copy gets, and per split what its ids became
 */
export function numberCategories(splits: readonly (readonly Category[])[]): {
  readonly categories: readonly Category[];
  readonly splits: readonly CategoryNumbers[];
} {
  const known = new Map<string, Category>();
  const taken = new Set<number>();
  let free = 1 + splits.flat().reduce((highest, { id }) => Math.max(highest, id), 0);
  const numbered = splits.map((all) => {
    const changes: CategoryChange[] = [];
    const numbers = new Map<number, number>();
    const met = new Map<string, number>();
    for (const category of unambiguous(all, changes)) {
      const { id, name } = category;
      // Two categories of one name stay two.
      const again = met.get(name) ?? 0;
      met.set(name, again + 1);
      const key = `${again} ${name}`;
      let mapped = known.get(key) ?? spelledOtherwise(category, all, known);
      if (mapped === undefined) {
        mapped = { ...category, id: id > 0 && !taken.has(id) ? id : free++ };
        known.set(key, mapped);
        taken.add(mapped.id);
      }
      numbers.set(id, mapped.id);
      if (mapped.name !== name || mapped.id !== id) {
        const place = `/categories/${all.indexOf(category)}`;
        changes.push({
          action: 'renumbered category',
          place,
          what: `${quoteName(name)} was ${id} and is now ${mapped.id}${mapped.name === name ? '' : ` ${quoteName(mapped.name)}`}`,
        });
      }
    }
    return { numbers, changes };
  });
  return { categories: [...known.values()].sort((a, b) => a.id - b.id), splits: numbered };
}

/** The same name in another case or with other spaces, where neither this split nor those before it have two of them. */
function spelledOtherwise(
  { name }: Category,
  all: readonly Category[],
  known: ReadonlyMap<string, Category>,
): Category | undefined {
  const isLike = (other: Category): boolean => plainName(other.name) === plainName(name);
  const before = [...known.values()].filter(isLike);
  return before.length === 1 && all.filter(isLike).length === 1 ? before[0] : undefined;
}

/** Without the ids that several names share: which of them an annotation means, nobody can tell. */
function unambiguous(all: readonly Category[], changes: CategoryChange[]): readonly Category[] {
  const names = new Map<number, Set<string>>();
  for (const { id, name } of all) names.set(id, (names.get(id) ?? new Set()).add(name));
  const seen = new Set<number>();
  return all.filter(({ id, name }, i) => {
    const sharing = names.get(id)!;
    const leaveOut = (why: string): boolean => {
      changes.push({
        action: 'left out category',
        place: `/categories/${i}`,
        what: `${id} ${quoteName(name)}: ${why}`,
      });
      return false;
    };
    if (sharing.size > 1)
      return leaveOut(`its id means ${[...sharing].map((other) => quoteName(other)).join(' and ')}`);
    if (seen.has(id)) return leaveOut('the same category stands before it');
    seen.add(id);
    return true;
  });
}

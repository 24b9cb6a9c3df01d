import type { ClassMap } from '../class-map.ts';
import type { AnnotationSet } from '../records.ts';

/**
 * Gives categories the ids that a model's class map has for their names. VIA and VOC files have names only; ids counted
 * in each file by itself would differ between two splits as soon as one of them lacks a class.
 */
export function renumbered(set: AnnotationSet, map: ClassMap): AnnotationSet {
  const known = new Map(map.classes.map(({ name, categoryId }) => [name, categoryId]));
  let next = Math.max(0, ...known.values()) + 1;
  const ids = new Map(set.categories.map(({ id, name }) => [id, known.get(name) ?? next++]));
  return {
    ...set,
    categories: set.categories.map((category) => ({ ...category, id: ids.get(category.id)! })),
    annotations: set.annotations.map((record) => ({ ...record, categoryId: ids.get(record.categoryId)! })),
  };
}

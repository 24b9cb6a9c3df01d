import type { AnnotationRecord, AnnotationSet, Category } from '../../records.ts';
import { type FieldReader, isNumberText, show } from '../json/fields.ts';

/** Numbers that stand for texts until the whole file is read; no file has such ids. */
const FIRST = -(2 ** 40);

type Tell = (place: string, text: string, isRead: boolean) => void;

/**
 * Ids of categories that are text, as hand-made files have them: `"cat"` in both lists, or the name of a category where
 * its number belongs. Which category is meant, the last line of a file may say: until then each text has a number that
 * stands for it.
 */
export class CategoryTexts {
  readonly #texts: string[] = [];
  readonly #numbers = new Map<string, number>();

  /** The id of a field, or the number that stands for its text. */
  numberOf(fields: FieldReader, name: string): number {
    const value = fields.get(name);
    if (typeof value !== 'string' || value.trim() === '' || isNumberText(value)) return fields.id(name);
    const known = this.#numbers.get(value);
    if (known !== undefined) return known;
    const number = FIRST - this.#texts.length;
    this.#numbers.set(value, number);
    this.#texts.push(value);
    return number;
  }

  /** The text that a number stands for, as a field of a category. */
  textOf(number: number): Pick<Category, 'textId'> {
    const text = this.#texts[FIRST - number];
    return text === undefined ? {} : { textId: text };
  }

  /**
   * Categories of text ids get the numbers after the highest one, in the order of the file; annotations get that of the
   * category with their text for an id, or else for a name, if one category alone has it.
   * @param tell told of each text, and whether it could be read; annotations of those that could not are left out
   */
  resolve(
    all: readonly Category[],
    annotations: readonly AnnotationRecord[],
    tell: Tell,
  ): Pick<AnnotationSet, 'categories' | 'annotations'> {
    if (this.#texts.length === 0) return { categories: all, annotations };
    let next = 1 + all.reduce((highest, { id }) => Math.max(highest, id), 0);
    const ids = new Map<number, number>();
    const categories = all.map((category, i) => {
      if (category.textId === undefined) return category;
      const id = ids.get(category.id) ?? next++;
      ids.set(category.id, id);
      tell(`/categories/${i}/id`, `${show(category.textId)} is read as ${id}`, true);
      return { ...category, id };
    });
    const named = new Map<string, number | undefined>();
    for (const { id, name } of categories) named.set(name, named.has(name) ? undefined : id);
    const meant = this.#texts.map((text, i) => ids.get(FIRST - i) ?? named.get(text) ?? named.get(text.trim()));
    return {
      categories,
      annotations: annotations.flatMap((annotation) => {
        const i = FIRST - annotation.categoryId;
        const text = this.#texts[i];
        if (text === undefined) return [annotation];
        const id = meant[i];
        const isByName = id !== undefined && !ids.has(annotation.categoryId);
        const place = `${annotation.place}/category_id`;
        if (id === undefined) tell(place, show(text), false);
        else if (isByName) tell(place, `${show(text)} is the name of ${id}`, true);
        return id === undefined ? [] : [{ ...annotation, categoryId: id }];
      }),
    };
  }
}

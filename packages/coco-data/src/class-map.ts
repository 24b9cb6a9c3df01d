import type { ClassEntry } from '@rcnn/core';
import { RcnnError } from '@rcnn/core/errors';
import type { Category } from './records.ts';

/** A class, and its id as annotation files write it. */
export interface MappedClass extends ClassEntry {
  /** Where those files have text for the id: `categoryId` is then a number of ours. */
  readonly textId?: string | undefined;
}

/** What two spellings of one name have in common: case, spaces and the form of Unicode say nothing to people. */
export function plainName(name: string): string {
  return name.normalize('NFC').trim().replace(/\s+/g, ' ').toLowerCase();
}

/** A {@link ClassMap} as it is kept with a model. */
export interface ClassMapJSON {
  readonly numClasses: number;
  readonly classes: readonly MappedClass[];
}

function entryOf({ id, name, textId }: Category, label: number): MappedClass {
  return { label, name, categoryId: id, ...(textId !== undefined && { textId }) };
}

/**
 * Which label stands for which category: stated once, kept with the model, asked in both directions.
 * COCO numbers its 80 categories from 1 to 90 with gaps. `ClassMap.ids` keeps those numbers as labels (91 outputs, as
 * torchvision's weights have); `ClassMap.contiguous` closes the gaps (1 … K).
 */
export class ClassMap {
  readonly classes: readonly MappedClass[];
  /** Outputs that a model needs: the highest label, and the background. */
  readonly numClasses: number;
  readonly #byLabel: ReadonlyMap<number, MappedClass>;
  readonly #byCategory: ReadonlyMap<number, MappedClass>;

  /** @throws LABEL_OUT_OF_RANGE for label 0, DUPLICATE_ID for a label or category that comes twice */
  constructor(classes: readonly MappedClass[], numClasses?: number) {
    this.classes = [...classes].sort((a, b) => a.label - b.label);
    const highest = this.classes.at(-1)?.label ?? 0;
    this.numClasses = numClasses ?? highest + 1;
    this.#byLabel = new Map(classes.map((entry) => [entry.label, entry]));
    this.#byCategory = new Map(classes.map((entry) => [entry.categoryId, entry]));
    this.#check(highest);
  }

  /** Labels 1 … K in the order of the category ids. */
  static contiguous(categories: readonly Category[]): ClassMap {
    const sorted = [...categories].sort((a, b) => a.id - b.id);
    return new ClassMap(sorted.map((category, i) => entryOf(category, i + 1)));
  }

  /** Labels are the category ids. An id of 0 is refused: that label is the background. */
  static ids(categories: readonly Category[]): ClassMap {
    return new ClassMap(categories.map((category) => entryOf(category, category.id)));
  }

  static fromJSON({ classes, numClasses }: ClassMapJSON): ClassMap {
    return new ClassMap(classes, numClasses);
  }

  /** The same classes with the texts that a dataset has for their ids; this map where it has none. */
  withTexts(categories: readonly Category[]): ClassMap {
    const texts = new Map(categories.map(({ id, textId }) => [id, textId]));
    if (![...texts.values()].some((text) => text !== undefined)) return this;
    const withText = this.classes.map((entry) => ({ ...entry, textId: texts.get(entry.categoryId) ?? entry.textId }));
    return new ClassMap(withText, this.numClasses);
  }

  toJSON(): ClassMapJSON {
    return { numClasses: this.numClasses, classes: this.classes };
  }

  /** The label of a category id, or undefined when the map does not know it. */
  labelOf(categoryId: number | string): number | undefined {
    if (typeof categoryId === 'number') return this.#byCategory.get(categoryId)?.label;
    return this.classes.find(({ textId }) => textId === categoryId)?.label;
  }

  /** What a label stands for, or undefined when the map does not know it. */
  entryOf(label: number): MappedClass | undefined {
    return this.#byLabel.get(label);
  }

  /** The category id of a label. @throws LABEL_OUT_OF_RANGE */
  categoryOf(label: number): number {
    return this.#entry(label).categoryId;
  }

  /** The name of a label. @throws LABEL_OUT_OF_RANGE */
  nameOf(label: number): string {
    return this.#entry(label).name;
  }

  /** Names by label, for annotators: index 0 is the background, gaps are empty. */
  get names(): readonly string[] {
    return Array.from({ length: this.numClasses }, (_, label) =>
      label === 0 ? 'background' : (this.#byLabel.get(label)?.name ?? ''),
    );
  }

  #entry(label: number): MappedClass {
    const entry = this.#byLabel.get(label);
    if (entry !== undefined) return entry;
    throw new RcnnError('LABEL_OUT_OF_RANGE', {
      where: 'ClassMap',
      problem: 'no class has this label',
      found: String(label),
      expected: `one of ${this.classes.map((known) => known.label).join(', ')}`,
    });
  }

  #check(highest: number): void {
    const wrong = this.classes.find(({ label }) => !Number.isInteger(label) || label < 1);
    if (wrong !== undefined || this.numClasses <= highest) {
      throw new RcnnError('LABEL_OUT_OF_RANGE', {
        where: 'ClassMap',
        ...(wrong && { place: `class '${wrong.name}'` }),
        problem: wrong ? 'the label of a class must be 1 or more' : 'a label does not fit the number of outputs',
        found: String(wrong?.label ?? highest),
        expected: wrong ? 'a whole number from 1' : `at most ${this.numClasses - 1}`,
        hint: 'Label 0 is the background. Use ClassMap.contiguous, or number the categories from 1.',
      });
    }
    if (this.#byLabel.size < this.classes.length || this.#byCategory.size < this.classes.length) {
      throw new RcnnError('DUPLICATE_ID', {
        where: 'ClassMap',
        problem: 'two classes share a label or a category id',
        found: this.classes.map(({ label, categoryId }) => `${label}:${categoryId}`).join(' '),
      });
    }
  }
}

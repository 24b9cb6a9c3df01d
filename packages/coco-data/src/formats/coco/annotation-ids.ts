import type { AnnotationRecord } from '../../records.ts';
import { type FieldReader, isNumberText, show } from '../json/fields.ts';

/**
 * Ids of annotations that are text, larger than a number holds, or not there. Nothing refers to them, so their objects get
 * numbers of their own, after the highest of the file.
 */
export class AnnotationIds {
  readonly #unnumbered = new Set<string>();

  /** The id of a record, or 0 for one that gets a number later; told of each of those. */
  numberOf(fields: FieldReader, tell: (place: string, found: string) => void): number {
    const value = fields.get('id');
    if (Number.isSafeInteger(value) || isNumberText(value)) return fields.id('id');
    this.#unnumbered.add(fields.place);
    tell(`${fields.place}/id`, value === undefined ? "no 'id'" : show(value));
    return 0;
  }

  resolve(annotations: readonly AnnotationRecord[]): readonly AnnotationRecord[] {
    if (this.#unnumbered.size === 0) return annotations;
    let next = 1 + annotations.reduce((highest, { id }) => Math.max(highest, id), 0);
    return annotations.map((annotation) =>
      this.#unnumbered.has(annotation.place) ? { ...annotation, id: next++ } : annotation,
    );
  }
}

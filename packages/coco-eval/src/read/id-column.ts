import { Numbers } from './growable.ts';
import type { Id, Ids } from './ids.ts';

/** Ids of rows as they come: doubles as long as all of them are numbers. */
export class IdColumn {
  readonly #numbers = new Numbers();
  #mixed: Id[] | undefined;

  get length(): number {
    return this.#mixed?.length ?? this.#numbers.length;
  }

  push(id: Id): void {
    if (this.#mixed === undefined && typeof id === 'number') this.#numbers.push(id);
    else this.#asMixed().push(id);
  }

  append(ids: Float64Array): void {
    if (this.#mixed === undefined) this.#numbers.append(ids);
    else for (const id of ids) this.#mixed.push(id);
  }

  at(i: number): Id {
    return this.#mixed?.[i] ?? this.#numbers.at(i);
  }

  /** Doubles if that loses nothing. */
  finish(): Ids {
    return this.#mixed ?? this.#numbers.view().slice();
  }

  #asMixed(): Id[] {
    this.#mixed ??= [...this.#numbers.view()];
    return this.#mixed;
  }
}

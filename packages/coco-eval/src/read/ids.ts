import type { IdColumn } from './id-column.ts';
import { NativeIds } from './native-ids.ts';

/** An id as a file writes it. Whole numbers beyond 2^53 are kept as bigints: as doubles, neighbors would become one. */
export type Id = number | bigint | string;

/** A list of ids: doubles where all of them are numbers that doubles hold, else each as it is. */
export type Ids = Float64Array | readonly Id[];

/** The most digits of a whole number that is read exactly. */
const MAX_DIGITS = 40;

/** A number or a bigint that is the same for equal values, however they are written; NaN for what is no id. */
export function wholeNumber(digits: string): number | bigint {
  const value = Number(digits);
  if (Number.isSafeInteger(value)) return value;
  return digits.length > MAX_DIGITS ? Number.NaN : BigInt(digits);
}

const NUMERAL = /^(?:0|-?[1-9]\d{0,39})$/;

/** The id in the other form: the number that a text spells, or the text of a number; undefined where there is none. */
function otherForm(id: Id): Id | undefined {
  if (typeof id !== 'string') return String(id);
  return NUMERAL.test(id) ? wholeNumber(id) : undefined;
}

/** Whether it can be an id: a finite number, or text. */
export function isId(id: Id): boolean {
  return typeof id !== 'number' || Number.isFinite(id);
}

/** COCO evaluation keeps the id of what a detection matched in a list of numbers, where 0 means "nothing". */
export function looksUnmatched(id: Id): boolean {
  return typeof id === 'string' ? /^\s*[+-]?0+(?:\.0*)?\s*$/.test(id) : Number(id) === 0;
}

/** Ids in a column, doubles if that loses nothing. */
export function idColumn(ids: readonly Id[]): Ids {
  return ids.every((id) => typeof id === 'number') ? Float64Array.from(ids) : ids;
}

/** Ids in ascending order, as numpy sorts them: numbers by value, text by its characters. */
export function sortedIds(ids: Iterable<Id>): Ids {
  const column = idColumn([...ids]);
  return column instanceof Float64Array ? column.sort() : [...column].sort(compareIds);
}

function compareIds(a: Id, b: Id): number {
  if (typeof a === 'string' && typeof b === 'string') return compareText(a, b);
  if (typeof a === 'string' || typeof b === 'string') return typeof a === 'string' ? 1 : -1;
  return a < b ? -1 : a > b ? 1 : 0;
}

/** By code points, as Python compares: JavaScript compares halves of the characters beyond 2^16. */
function compareText(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return rank(x) - rank(y);
  }
  return a.length - b.length;
}

/** Surrogates stand for the highest code points. */
function rank(unit: number): number {
  return unit >= 0xd800 && unit < 0xe000 ? unit + 0x10000 : unit;
}

/** From id to place in a list of ids; remembers the last answer, since rows of one image come together. */
export class IdIndex {
  readonly #ids: Ids;
  readonly #places = new Map<Id, number>();
  #native: NativeIds | undefined;
  #lastId: Id = Number.NaN;
  #lastPlace = -1;
  /** Rows whose id was found only in its other form: the text "3" for the number 3, or the other way round. */
  foundByValue = 0;

  constructor(ids: Ids) {
    this.#ids = ids;
    ids.forEach((id, place) => this.#places.set(id, place));
  }

  /** The places of a whole column, each or -1. */
  findAll(column: IdColumn): Int32Array {
    const ids = column.finish();
    const native = ids instanceof Float64Array ? this.#natively() : undefined;
    if (native !== undefined) return native.find(ids as Float64Array).places;
    const places = new Int32Array(ids.length);
    for (let i = 0; i < places.length; i++) places[i] = this.find(ids[i]!);
    return places;
  }

  /** The places of ids that are numbers; undefined where one of them has none, or another form. */
  findNumbers(ids: Float64Array): Int32Array | undefined {
    const found = this.#natively()?.find(ids);
    return found?.missing === 0 ? found.places : undefined;
  }

  /** undefined where WebAssembly is missing, and where an id is text: a number may then be one in its other form. */
  #natively(): NativeIds | undefined {
    if (this.#ids instanceof Float64Array) this.#native ??= NativeIds.of(this.#ids);
    return this.#native;
  }

  /** The place, or -1. */
  find(id: Id): number {
    if (id === this.#lastId) return this.#lastPlace;
    const place = this.#places.get(id);
    if (place === undefined) return this.#findOther(id);
    this.#lastId = id;
    this.#lastPlace = place;
    return place;
  }

  #findOther(id: Id): number {
    const other = otherForm(id);
    const place = other === undefined ? undefined : this.#places.get(other);
    if (place === undefined) return -1;
    this.foundByValue++;
    return place;
  }
}

/**
 * Whether ids that are partly numbers and partly text can be told apart: where one is the other's numeral, they cannot.
 * @returns the two ids that look alike, if there are such
 */
export function lookalikes(ids: Ids): [Id, Id] | undefined {
  if (ids instanceof Float64Array) return undefined;
  const all = new Set<Id>(ids);
  for (const id of ids) {
    const other = typeof id === 'string' ? otherForm(id) : undefined;
    if (other !== undefined && all.has(other)) return [id, other];
  }
  return undefined;
}

import type { Problems } from '../../doctor/problems.ts';
import { isNonFinite } from './non-finite.ts';

type Fields = Readonly<Record<string, unknown>>;

/** Reads the fields of one record and reports what is wrong with them, each by its JSON pointer. */
export class FieldReader {
  readonly fields: Fields;
  readonly place: string;
  readonly #source: string;
  readonly #problems: Problems;
  /** Whether something needed was missing or wrong. */
  failed = false;

  constructor(value: unknown, place: string, source: string, problems: Problems) {
    this.place = place;
    this.#source = source;
    this.#problems = problems;
    const isRecord = typeof value === 'object' && value !== null && !Array.isArray(value);
    this.fields = isRecord ? (value as Fields) : {};
    if (!isRecord) this.#report('field-type', place, `${show(value)}, expected an object`);
  }

  /** Own properties only: a file may name `__proto__` or `constructor`. */
  get(name: string): unknown {
    return Object.hasOwn(this.fields, name) ? this.fields[name] : undefined;
  }

  id(name: string): number {
    const value = this.#needed(name);
    if (value === undefined) return Number.NaN;
    if (isNumberText(value)) return Number(value);
    const isWhole = typeof value === 'number' || isLargeWhole(value);
    if (!isWhole) return this.#wrong(name, value, 'a whole number');
    if (Number.isSafeInteger(value)) return value as number;
    this.#report('id-unsafe', `${this.place}/${name}`, typeof value === 'string' ? value : show(value));
    return Number.NaN;
  }

  /** An image's id may be text too. */
  imageId(name: string): number | string {
    const value = this.get(name);
    return typeof value === 'string' && value.length > 0 ? value : this.id(name);
  }

  text(name: string): string {
    const value = this.#needed(name);
    if (value === undefined) return '';
    if (typeof value === 'string' && value.length > 0) return value;
    this.#wrong(name, value, 'a text');
    return '';
  }

  /** A name: tools whose classes are numbers write them as such. */
  name(name: string): string {
    const value = this.get(name);
    return typeof value === 'number' && Number.isFinite(value) ? String(value) : this.text(name);
  }

  side(name: string): number {
    const value = this.#needed(name);
    if (value === undefined) return Number.NaN;
    const side = numeric(value) ?? Number.NaN;
    if (!Number.isInteger(side) || side <= 0 || side >= 2 ** 31)
      return this.#wrong(name, value, 'a whole number of pixels from 1');
    if (typeof value !== 'number') this.#told(name, value);
    return side;
  }

  /** Whether the record has the field at all; `null` is how some tools leave one out. */
  has(name: string): boolean {
    const value = this.get(name);
    return value !== undefined && value !== null;
  }

  numbers(name: string, count: number): readonly number[] | undefined {
    const value = this.#needed(name);
    if (value === undefined) return undefined;
    const list = this.list(name, value);
    if (list?.length === count) return list;
    this.#wrong(name, value, `${count} numbers`);
    return undefined;
  }

  /** A list of numbers, also of those that a tool wrote as text, which is told; undefined for anything else. */
  list(name: string, value: unknown): readonly number[] | undefined {
    if (!Array.isArray(value)) return undefined;
    if (value.every((item) => typeof item === 'number')) return value;
    const read = value.map(numeric);
    if (read.includes(undefined)) return undefined;
    this.#told(name, value);
    return read as readonly number[];
  }

  optionalNumber(name: string): number | undefined {
    const value = this.get(name);
    if (value === undefined || value === null) return undefined;
    if (isNonFinite(value)) {
      this.#problems.add({
        kind: 'number-none',
        source: this.#source,
        place: `${this.place}/${name}`,
        found: String(value),
      });
      return undefined;
    }
    const number = numeric(value);
    if (number === undefined) this.#wrong(name, value, 'a number');
    else if (typeof value !== 'number') this.#told(name, value);
    return number;
  }

  flag(name: string): boolean {
    const value = this.get(name);
    if (value === undefined || value === null || value === 0 || value === false) return false;
    if (value === 1 || value === true) return true;
    if (value === '0' || value === '1') {
      this.#told(name, value);
      return value === '1';
    }
    this.#wrong(name, value, '0 or 1');
    return false;
  }

  #needed(name: string): unknown {
    const value = this.get(name);
    if (value !== undefined) return value;
    this.#report('field-missing', `${this.place}/${name}`, `no '${name}'`);
    return undefined;
  }

  /** A number that is text, and is read all the same. */
  #told(name: string, value: unknown): void {
    const place = `${this.place}/${name}`;
    this.#problems.add({ kind: 'number-text', source: this.#source, place, found: show(value) });
  }

  #wrong(name: string, value: unknown, expected: string): number {
    this.#report('field-type', `${this.place}/${name}`, `${show(value)}, expected ${expected}`);
    return Number.NaN;
  }

  #report(kind: 'field-missing' | 'field-type' | 'id-unsafe', place: string, found: string): void {
    this.failed = true;
    this.#problems.add({ kind, source: this.#source, place, found });
  }
}

/** A whole number that a tool wrote as text: `"3"`, without zeros in front, which would make two texts one number. */
export function isNumberText(value: unknown): value is string {
  return typeof value === 'string' && /^(?:0|-?[1-9]\d{0,15})$/.test(value) && Number.isSafeInteger(Number(value));
}

/** A whole number beyond what JavaScript holds, which the reader of JSON gives as its digits. */
function isLargeWhole(value: unknown): boolean {
  return typeof value === 'string' && /^-?\d{16,}$/.test(value);
}

/** A number, or one that a tool wrote as text; undefined for anything else. */
export function numeric(value: unknown): number | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? value : undefined;
  const isText = typeof value === 'string' && /^\s*[-+]?\d+(?:\.\d*)?(?:e[-+]?\d+)?\s*$/i.test(value);
  return isText ? Number(value) : undefined;
}

/** A value in few characters. */
export function show(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}

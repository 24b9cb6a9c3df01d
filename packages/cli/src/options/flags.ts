import { InvalidArgumentError } from 'commander';

/** Which numbers an option takes. */
export interface NumberRange {
  readonly from?: number;
  readonly to?: number;
  /** Only whole numbers. */
  readonly whole?: boolean;
}

/**
 * The number that an option's text says: the one place where text from the command line becomes a number, so a blank,
 * `1e3`, `0x10` or `NaN` means the same for every option.
 * @returns undefined when the text says none, or one outside the range
 */
export function numberOf(
  text: string,
  { from = -Infinity, to = Infinity, whole = false }: NumberRange = {},
): number | undefined {
  const value = text.trim() === '' ? Number.NaN : Number(text);
  if (!Number.isFinite(value) || value < from || value > to) return undefined;
  return whole && !Number.isSafeInteger(value) ? undefined : value;
}

/** A parser for commander, with one message for all numbers. */
export function number(range: NumberRange = {}): (text: string) => number {
  return (text) => {
    const value = numberOf(text, range);
    if (value === undefined) throw new InvalidArgumentError(`It must be ${describe(range)}.`);
    return value;
  };
}

/** A count of things: a whole number from 1. */
export const count: (text: string) => number = number({ from: 1, whole: true });

/** A whole number from 0. */
export const countOrNone: (text: string) => number = number({ from: 0, whole: true });

/** Counts with commas between them, in any order: `1,10,100`. */
export function counts(text: string): number[] {
  const values = text.split(',').map((part) => numberOf(part, { from: 1, whole: true }));
  if (values.some((value) => value === undefined)) {
    throw new InvalidArgumentError('It must be whole numbers from 1 with commas between them.');
  }
  return [...new Set(values as number[])];
}

/** A text that says something: a variable of the shell that is not set leaves none. */
export function something(text: string): string {
  if (text.trim() === '') throw new InvalidArgumentError('It must not be empty.');
  return text;
}

/** Numbers above 0 with commas between them. */
export function positives(text: string): number[] {
  const values = text.split(',').map((part) => numberOf(part, { from: Number.MIN_VALUE }));
  if (values.some((value) => value === undefined)) {
    throw new InvalidArgumentError('It must be numbers above 0 with commas between them.');
  }
  return values as number[];
}

/** A probability or a score. */
export const fraction: (text: string) => number = number({ from: 0, to: 1 });

/**
 * All values of an option that may come several times. One that takes several words at once would take the arguments of
 * the command that stand behind it too.
 */
export function collected(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, text];
}

/** `a whole number from 1`. */
export function describe({ from, to, whole = false }: NumberRange): string {
  const kind = whole ? 'a whole number' : 'a number';
  if (from !== undefined && to !== undefined) return `${kind} from ${from} to ${to}`;
  if (from !== undefined) return `${kind} from ${from}`;
  return to === undefined ? kind : `${kind} up to ${to}`;
}

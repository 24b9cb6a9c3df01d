import { quoteName, RcnnError } from '@rcnn/core/errors';

/** Environment variables, as `process.env` has them. */
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * A whole number from 0 in a variable; undefined when the variable is not set, or is empty as some schedulers leave it.
 * @throws INVALID_ARGUMENT for anything else: guessing would give two processes one part
 */
export function wholeNumber(env: Environment, name: string): number | undefined {
  const text = env[name]?.trim();
  if (text === undefined || text === '') return undefined;
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new RcnnError('INVALID_ARGUMENT', {
    where: name,
    problem: 'the variable must hold a whole number',
    found: quoteName(text),
  });
}

/** An index below a count. @throws INVALID_ARGUMENT */
export function checkPlace(where: string, index: number, count: number): void {
  if (count >= 1 && index < count) return;
  throw new RcnnError('INVALID_ARGUMENT', {
    where,
    problem: 'the index must be below the count; it begins at 0',
    found: `${index} of ${count}`,
  });
}

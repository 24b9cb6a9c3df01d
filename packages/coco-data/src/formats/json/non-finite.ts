import { withExactIds } from './exact-ids.ts';

/** `NaN`, `Infinity` and `-Infinity` as Python writes them into JSON, which does not know them. */
const NON_FINITE: readonly unknown[] = ['NaN', 'Infinity', '-Infinity'];

/** A value that {@link withNonFinite} read where a number should be. */
export function isNonFinite(value: unknown): boolean {
  return NON_FINITE.includes(value);
}

/**
 * What a text would be if its only fault is numbers that are none, which become texts of the same letters: each field then
 * says for itself whether it can do without. Undefined where the text has another fault.
 */
export function withNonFinite(text: string): unknown {
  const quoted = text.replaceAll(/"(?:[^"\\]|\\.)*"|-?\b(?:NaN|Infinity)\b/gs, (found) =>
    found.startsWith('"') ? found : `"${found}"`,
  );
  if (quoted === text) return undefined;
  try {
    return withExactIds(JSON.parse(quoted), quoted);
  } catch {
    return undefined;
  }
}

import { RcnnError } from './errors.ts';

/**
 * An address that somebody gave, or that stands in a file.
 * @param where who asks, for the error
 * @param base what a relative address is relative to
 * @throws INVALID_ARGUMENT when it is none
 */
export function addressOf(text: string | URL, where: string, base?: string | URL): URL {
  if (URL.canParse(text, base)) return new URL(text, base);
  throw new RcnnError('INVALID_ARGUMENT', {
    where,
    problem: 'this is not an address',
    found: String(text),
    expected: base === undefined ? 'https:// and a host' : 'an address',
  });
}

/** The text behind percent escapes (`%20`); as it stands where they are wrong, for then it was meant so. */
export function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

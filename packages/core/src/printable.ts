/**
 * What a terminal, a log or a reader would act on instead of showing: control characters (C0, DEL, C1), line and
 * paragraph separators, marks that turn the direction of text, characters without width, and halves of characters.
 */
const UNSHOWN = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}\p{Cs}\u200b\u2060\ufeff]/gu;

/** Longest name that is shown whole. */
const LONGEST = 200;

const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/**
 * Text from outside (a file, a file system, a server) as one line that can be printed anywhere: what would not be seen,
 * or would act on the terminal, is written as an escape, `\n` or `\u{1b}`. Everything else stays as it is.
 */
export function printable(text: string): string {
  return text.replace(UNSHOWN, (character) => SHORT[character] ?? `\\u{${character.codePointAt(0)!.toString(16)}}`);
}

/** Like {@link printable}, for texts of our own with several lines: their line breaks stay. */
export function printableLines(text: string): string {
  return text.split('\n').map(printable).join('\n');
}

/** A name from outside in quotes, printable and, where it is very long, with its middle left out. */
export function quoteName(name: string, longest: number = LONGEST): string {
  return `'${printable(shortened(name, longest))}'${name.length > longest ? ` (${name.length} characters)` : ''}`;
}

/** A text of at most `longest` UTF-16 units, and a `…` for the middle that was left out. No character is cut in half. */
export function shortened(text: string, longest: number = LONGEST): string {
  if (text.length <= longest) return text;
  const half = Math.floor(longest / 2);
  const head = text.slice(0, half).replace(/[\ud800-\udbff]$/, '');
  return `${head}…${text.slice(text.length - half).replace(/^[\udc00-\udfff]/, '')}`;
}

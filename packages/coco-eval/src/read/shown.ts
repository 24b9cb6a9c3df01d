import { printable, shortened } from '@rcnn/core/errors';

/** The most characters of a value from a file that a message repeats. */
const MAX_SHOWN = 60;

/** Text from a file as a message shows it: printable, and no longer than a line. */
export function shown(text: string): string {
  return printable(shortened(text, MAX_SHOWN));
}

/** A value of parsed JSON as a file would write it; `nothing` where there is none. */
export function shownValue(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (typeof value === 'number' || typeof value === 'bigint') return String(value);
  if (typeof value === 'string') return shown(JSON.stringify(value.slice(0, MAX_SHOWN + 1)));
  if (value === null || typeof value === 'boolean') return String(value);
  return Array.isArray(value) || ArrayBuffer.isView(value) ? 'a list' : 'an object';
}

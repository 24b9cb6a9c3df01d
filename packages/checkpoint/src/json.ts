import { RcnnError } from '@rcnn/core/errors';

/** What JSON can hold. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | { readonly [key: string]: JsonValue };

/**
 * `JSON.stringify` for values that must come back as they were: NaN, infinity, -0, undefined, functions and class
 * instances, which JSON drops or changes without a word, are errors.
 * @throws INVALID_ARGUMENT naming the JSON pointer
 */
export function checkJson(value: JsonValue, where: string, pointer = ''): string {
  check(value, where, pointer);
  return JSON.stringify(value);
}

function check(value: unknown, where: string, pointer: string): void {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return;
  if (typeof value === 'number' && Number.isFinite(value) && !Object.is(value, -0)) return;
  if (Array.isArray(value)) {
    value.forEach((item, i) => check(item, where, `${pointer}/${i}`));
  } else if (
    typeof value === 'object' &&
    [Object.prototype, null].includes(Object.getPrototypeOf(value) as object | null)
  ) {
    for (const [key, item] of Object.entries(value as object)) {
      if (item !== undefined) check(item, where, `${pointer}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`);
    }
  } else {
    throw new RcnnError('INVALID_ARGUMENT', {
      where,
      place: pointer,
      problem: 'JSON cannot hold this value',
      found: typeof value === 'object' ? (value?.constructor.name ?? 'object') : String(value),
      expected: 'null, true, false, a finite number, text, an array or a plain object',
    });
  }
}

/** Whether arrays and objects of a JSON text lie deeper in each other than `limit`; the text may be malformed. */
export function isDeeperThan(text: string, limit: number): boolean {
  let depth = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const sign = text[i];
    if (inString) {
      if (sign === '\\') i++;
      else if (sign === '"') inString = false;
    } else if (sign === '"') inString = true;
    else if (sign === '[' || sign === '{') {
      if (++depth > limit) return true;
    } else if (sign === ']' || sign === '}') depth--;
  }
  return false;
}

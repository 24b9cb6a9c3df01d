import { quoteName, RcnnError } from '@rcnn/core/errors';

/** What {@link parseStrictJson} gives. Objects are Maps, so that no key can mean anything to the language. */
export type StrictJson = null | boolean | number | string | readonly StrictJson[] | ReadonlyMap<string, StrictJson>;

export interface StrictJsonLimits {
  /** Objects and arrays inside each other. Default 8. */
  readonly maxDepth?: number | undefined;
  /** Values in all; an array counts for 3 and an object for 8, as they do in memory. Default 1,000,000. */
  readonly maxValues?: number | undefined;
}

/** What a value counts for, beside 1 for itself. */
const WEIGHT = { array: 2, object: 7 } as const;

/**
 * JSON (RFC 8259) for files that nobody vouches for: a key given twice is an error, as is more depth or more values than
 * the limits; errors name the character. Work and memory grow with the text alone.
 * @throws FILE_MALFORMED, BUDGET_EXCEEDED
 */
export function parseStrictJson(text: string, where: string, limits: StrictJsonLimits = {}): StrictJson {
  return new StrictParser(text, where, limits).parse();
}

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const HALF_CHARACTER = /\p{Cs}/u;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const SPACE = /[ \t\n\r]*/y;

class StrictParser {
  readonly #text: string;
  readonly #where: string;
  readonly #maxDepth: number;
  readonly #maxValues: number;
  #values = 0;
  #at = 0;

  constructor(text: string, where: string, { maxDepth = 8, maxValues = 1e6 }: StrictJsonLimits) {
    this.#text = text;
    this.#where = where;
    this.#maxDepth = maxDepth;
    this.#maxValues = maxValues;
  }

  parse(): StrictJson {
    const value = this.#value(0);
    this.#skip(SPACE);
    if (this.#at !== this.#text.length) this.#fail('text after the end of the JSON value');
    return value;
  }

  #value(depth: number): StrictJson {
    if (depth > this.#maxDepth) this.#fail(`nested deeper than ${this.#maxDepth} levels`);
    this.#count(1);
    this.#skip(SPACE);
    switch (this.#text[this.#at]) {
      case '{':
        return this.#object(depth);
      case '[':
        return this.#array(depth);
      case '"':
        return this.#string();
      case 't':
        return this.#word('true', true);
      case 'f':
        return this.#word('false', false);
      case 'n':
        return this.#word('null', null);
      default: {
        const number = this.#skip(NUMBER);
        return number === '' ? this.#fail('no JSON value here') : Number(number);
      }
    }
  }

  #object(depth: number): ReadonlyMap<string, StrictJson> {
    this.#count(WEIGHT.object);
    const object = new Map<string, StrictJson>();
    this.#at++;
    if (this.#take('}')) return object;
    do {
      this.#skip(SPACE);
      const start = this.#at;
      const key = this.#string();
      if (object.has(key)) {
        this.#at = start;
        this.#fail(`the key ${quoteName(key)} comes twice`);
      }
      if (!this.#take(':')) this.#fail("':' is missing");
      object.set(key, this.#value(depth + 1));
    } while (this.#take(','));
    return this.#take('}') ? object : this.#fail("',' or '}' is missing");
  }

  #array(depth: number): readonly StrictJson[] {
    this.#count(WEIGHT.array);
    const array: StrictJson[] = [];
    this.#at++;
    if (this.#take(']')) return array;
    do array.push(this.#value(depth + 1));
    while (this.#take(','));
    return this.#take(']') ? array : this.#fail("',' or ']' is missing");
  }

  /** Finds the closing quote by hand (a pattern could backtrack without end) and leaves the escapes to JSON.parse. */
  #string(): string {
    const text = this.#text;
    if (text[this.#at] !== '"') this.#fail('no JSON string here');
    let end = this.#at + 1;
    for (let code = text.charCodeAt(end); end < text.length && code !== QUOTE; code = text.charCodeAt(end)) {
      end += code === BACKSLASH ? 2 : 1;
    }
    if (end >= text.length) this.#fail('a string without an end');
    let value = '';
    try {
      value = JSON.parse(text.slice(this.#at, end + 1)) as string;
    } catch {
      this.#fail('a string with a bad escape or a control character');
    }
    // JSON lets it pass, but no bytes can say such a text: safetensors itself refuses the file.
    if (HALF_CHARACTER.test(value)) this.#fail('a string with half a character (a lone surrogate)');
    this.#at = end + 1;
    return value;
  }

  #word<T>(word: string, value: T): T {
    if (!this.#text.startsWith(word, this.#at)) this.#fail('no JSON value here');
    this.#at += word.length;
    return value;
  }

  #take(sign: string): boolean {
    this.#skip(SPACE);
    if (this.#text[this.#at] !== sign) return false;
    this.#at++;
    return true;
  }

  #skip(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const token = pattern.exec(this.#text)?.[0] ?? '';
    this.#at += token.length;
    return token;
  }

  #count(values: number): void {
    this.#values += values;
    if (this.#values > this.#maxValues) this.#fail(`more than ${this.#maxValues} values`, 'BUDGET_EXCEEDED');
  }

  #fail(problem: string, code: 'FILE_MALFORMED' | 'BUDGET_EXCEEDED' = 'FILE_MALFORMED'): never {
    throw new RcnnError(code, { where: this.#where, place: `header, character ${this.#at}`, problem });
  }
}

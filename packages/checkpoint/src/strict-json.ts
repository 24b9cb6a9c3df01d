import { RcnnError } from '@rcnn/core/errors';

/** What {@link parseStrictJson} gives. Objects are Maps, so that no key can mean anything to the language. */
export type StrictJson = null | boolean | number | string | readonly StrictJson[] | ReadonlyMap<string, StrictJson>;

/**
 * JSON (RFC 8259) for files that nobody vouches for: a key given twice is an error, as is nesting deeper than
 * `maxDepth`; errors name the character.
 * @throws FILE_MALFORMED
 */
export function parseStrictJson(text: string, where: string, maxDepth = 8): StrictJson {
  return new StrictParser(text, where, maxDepth).parse();
}

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const SPACE = /[ \t\n\r]*/y;

class StrictParser {
  readonly #text: string;
  readonly #where: string;
  readonly #maxDepth: number;
  #at = 0;

  constructor(text: string, where: string, maxDepth: number) {
    this.#text = text;
    this.#where = where;
    this.#maxDepth = maxDepth;
  }

  parse(): StrictJson {
    const value = this.#value(0);
    this.#skip(SPACE);
    if (this.#at !== this.#text.length) this.#fail('text after the end of the JSON value');
    return value;
  }

  #value(depth: number): StrictJson {
    if (depth > this.#maxDepth) this.#fail(`nested deeper than ${this.#maxDepth} levels`);
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
    const object = new Map<string, StrictJson>();
    this.#at++;
    if (this.#take('}')) return object;
    do {
      this.#skip(SPACE);
      const start = this.#at;
      const key = this.#string();
      if (object.has(key)) {
        this.#at = start;
        this.#fail(`the key ${JSON.stringify(key)} comes twice`);
      }
      if (!this.#take(':')) this.#fail("':' is missing");
      object.set(key, this.#value(depth + 1));
    } while (this.#take(','));
    return this.#take('}') ? object : this.#fail("',' or '}' is missing");
  }

  #array(depth: number): readonly StrictJson[] {
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
    while (end < text.length && text[end] !== '"') end += text[end] === '\\' ? 2 : 1;
    if (end >= text.length) this.#fail('a string without an end');
    let value = '';
    try {
      value = JSON.parse(text.slice(this.#at, end + 1)) as string;
    } catch {
      this.#fail('a string with a bad escape or a control character');
    }
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

  #fail(problem: string): never {
    throw new RcnnError('FILE_MALFORMED', { where: this.#where, place: `header, character ${this.#at}`, problem });
  }
}

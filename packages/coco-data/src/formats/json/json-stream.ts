import { RcnnError } from '@rcnn/core/errors';
import { withExactIds } from './exact-ids.ts';
import { jsonErrorAt, jsonFault } from './json-error.ts';
import { withNonFinite } from './non-finite.ts';

/** Told about the arrays at the top level and their elements, in file order. */
export interface ElementVisitor {
  open(key: string): void;
  element(key: string, index: number, value: unknown): void;
  /** What stands at the top level and is no array. */
  value?(key: string, value: unknown): void;
}

const MAX_DEPTH = 64; // COCO needs 6; JSON.parse would recurse for ever
const MAX_VALUE_BYTES = 256 * 2 ** 20; // one annotation, or one array-free value

const [QUOTE, BACKSLASH, COMMA, COLON] = [0x22, 0x5c, 0x2c, 0x3a];
const [OPEN_ARRAY, CLOSE_ARRAY, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d];

/** Bytes that neither open, close nor quote anything, nor end a line. */
const IS_PLAIN: Uint8Array = new Uint8Array(256).fill(1);
for (const byte of [QUOTE, OPEN_ARRAY, CLOSE_ARRAY, OPEN_OBJECT, CLOSE_OBJECT, 0x0a]) IS_PLAIN[byte!] = 0;

type Expect = 'start' | 'first key' | 'key' | 'colon' | 'value' | 'first element' | 'element' | 'rest' | 'end';

/**
 * Reads a JSON object whose weight is in arrays at its top level, piece by piece: only one element is ever held as text,
 * so a file may be larger than the longest string. Elements are parsed by `JSON.parse`; everything else is checked here.
 */
export class JSONElements {
  readonly #where: string;
  readonly #visit: ElementVisitor;
  readonly #decoder: TextDecoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  readonly #seen = new Set<string>();
  #expect: Expect = 'start';
  #key = '';
  #index = 0;
  #inArray = false;
  // The value under way: its bytes so far, and where the scanner stands in it.
  #parts: Uint8Array[] = [];
  #bytes = 0;
  #depth = 0;
  #inString = false;
  #escaped = false;
  #valueStart = 0;
  #valueLine = 1;
  #valueLineStart = 0;
  #offset = 0; // of the chunk's first byte in the file
  #line = 1;
  #lineStart = 0; // file offset of the line's first byte

  constructor(where: string, visit: ElementVisitor) {
    this.#where = where;
    this.#visit = visit;
  }

  push(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length) {
      at =
        this.#depth > 0 || this.#inString || this.#bytes > 0 ? this.#continueValue(chunk, at) : this.#token(chunk, at);
    }
    this.#offset += chunk.length;
  }

  /** @throws FILE_TRUNCATED when the object is not closed yet */
  end(): void {
    if (this.#expect === 'end') return;
    throw new RcnnError('FILE_TRUNCATED', {
      where: this.#where,
      place: this.#position(this.#offset),
      problem: this.#offset === 0 ? 'the file is empty' : 'the JSON ends in the middle',
      expected: this.#bytes > 0 || this.#inString ? `the rest of ${this.#path()}` : EXPECTED[this.#expect],
      hint: 'Copy or download the file again.',
    });
  }

  /** One token between values. */
  #token(chunk: Uint8Array, at: number): number {
    const byte = chunk[at]!;
    if (byte === 0x0a) this.#newLine(at);
    if (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) return at + 1;
    if (this.#expect === 'start' && this.#offset + at < 3 && [0xef, 0xbb, 0xbf][this.#offset + at] === byte)
      return at + 1;
    switch (this.#expect) {
      case 'start':
        if (byte === OPEN_OBJECT) return this.#then('first key', at);
        break;
      case 'first key':
      case 'key':
        if (byte === QUOTE) return this.#startValue(chunk, at);
        if (byte === CLOSE_OBJECT && this.#expect === 'first key') return this.#then('end', at);
        break;
      case 'colon':
        if (byte === COLON) return this.#then('value', at);
        break;
      case 'value':
        if (byte === OPEN_ARRAY) {
          this.#inArray = true;
          this.#index = 0;
          this.#visit.open(this.#key);
          return this.#then('first element', at);
        }
        return this.#startValue(chunk, at);
      case 'first element':
      case 'element':
        if (byte === CLOSE_ARRAY && this.#expect === 'first element') return this.#closeArray(at);
        return this.#startValue(chunk, at);
      case 'rest':
        if (byte === COMMA) return this.#then(this.#inArray ? 'element' : 'key', at);
        if (byte === CLOSE_ARRAY && this.#inArray) return this.#closeArray(at);
        if (byte === CLOSE_OBJECT && !this.#inArray) return this.#then('end', at);
        break;
      case 'end':
    }
    const found = `found ${shown(byte)}, expected ${EXPECTED[this.#expect]}`;
    throw this.#malformed(this.#offset + at, found, undefined, hintOf(byte, this.#expect));
  }

  #then(expect: Expect, at: number): number {
    this.#expect = expect;
    return at + 1;
  }

  #closeArray(at: number): number {
    this.#inArray = false;
    return this.#then('rest', at);
  }

  #startValue(chunk: Uint8Array, at: number): number {
    this.#valueStart = this.#offset + at;
    this.#valueLine = this.#line;
    this.#valueLineStart = this.#lineStart;
    this.#parts = [];
    this.#bytes = 0;
    return this.#continueValue(chunk, at);
  }

  /** Takes bytes until the value ends: at a comma or bracket outside it, or at its own closing quote or bracket. */
  #continueValue(chunk: Uint8Array, from: number): number {
    let at = from;
    let done = false;
    while (at < chunk.length && !done) {
      const byte = chunk[at]!;
      if (this.#depth > 0 && !this.#inString && IS_PLAIN[byte] === 1) {
        at++; // most bytes of a file: numbers inside an element
        continue;
      }
      if (this.#inString) {
        if (this.#escaped) this.#escaped = false;
        else if (byte === BACKSLASH) this.#escaped = true;
        else if (byte === QUOTE) {
          this.#inString = false;
          done = this.#depth === 0;
        } else if (byte === 0x0a) throw this.#malformed(this.#offset + at, 'a line break inside a string');
        at++;
      } else if (byte === QUOTE) {
        this.#inString = true;
        at++;
      } else if (byte === OPEN_ARRAY || byte === OPEN_OBJECT) {
        if (++this.#depth > MAX_DEPTH)
          throw this.#malformed(this.#offset + at, `nested deeper than ${MAX_DEPTH} levels`);
        at++;
      } else if (byte === CLOSE_ARRAY || byte === CLOSE_OBJECT) {
        if (this.#depth === 0) done = true;
        else {
          this.#depth--;
          done = this.#depth === 0;
          at++;
        }
      } else if (byte === COMMA && this.#depth === 0) done = true;
      else if (this.#depth === 0 && (byte === COLON || byte <= 0x20)) done = true;
      else {
        if (byte === 0x0a) this.#newLine(at);
        at++;
      }
    }
    this.#parts.push(chunk.subarray(from, at));
    this.#bytes += at - from;
    if (this.#bytes > MAX_VALUE_BYTES) {
      throw new RcnnError('FILE_REFUSED', {
        where: this.#where,
        place: this.#path(),
        problem: `one value takes more than ${MAX_VALUE_BYTES / 2 ** 20} MiB`,
      });
    }
    if (done) this.#finishValue();
    else this.#parts[this.#parts.length - 1] = this.#parts.at(-1)!.slice(); // the caller may reuse its buffer
    return at;
  }

  #finishValue(): void {
    const value = this.#parse(this.#text());
    this.#parts = [];
    this.#bytes = 0;
    if (this.#expect === 'first key' || this.#expect === 'key') {
      this.#key = value as string;
      if (this.#seen.has(this.#key)) throw this.#malformed(this.#valueStart, `the key '${this.#key}' comes twice`);
      this.#seen.add(this.#key);
      this.#expect = 'colon';
      return;
    }
    if (this.#inArray) this.#visit.element(this.#key, this.#index++, value);
    else this.#visit.value?.(this.#key, value);
    this.#expect = 'rest';
  }

  #text(): string {
    try {
      if (this.#parts.length === 1) return this.#decoder.decode(this.#parts[0]);
      const joined = new Uint8Array(this.#bytes);
      let at = 0;
      for (const part of this.#parts) {
        joined.set(part, at);
        at += part.length;
      }
      return this.#decoder.decode(joined);
    } catch (cause) {
      throw this.#malformed(this.#valueStart, 'bytes that are not UTF-8', cause, 'Save it as UTF-8.');
    }
  }

  #parse(text: string): unknown {
    try {
      return withExactIds(JSON.parse(text), text);
    } catch (cause) {
      const read = withNonFinite(text);
      if (read !== undefined) return read;
      const before = text.slice(0, jsonErrorAt(text));
      // Back to where the value began, then forward again line by line.
      this.#line = this.#valueLine;
      this.#lineStart = this.#valueLineStart;
      const offset = this.#valueStart + new TextEncoder().encode(before).length;
      const lines = before.split('\n');
      if (lines.length > 1) {
        this.#line += lines.length - 1;
        this.#lineStart = offset - new TextEncoder().encode(lines.at(-1)).length;
      }
      const { problem, hint } = jsonFault(text.slice(before.length, before.length + 16), before);
      throw this.#malformed(offset, `${this.#path()} ${problem}`, cause, hint);
    }
  }

  #malformed(offset: number, problem: string, cause?: unknown, hint?: string): RcnnError {
    return new RcnnError('FILE_MALFORMED', {
      where: this.#where,
      place: this.#position(offset),
      problem,
      ...(hint !== undefined && { hint }),
      ...(cause !== undefined && { cause }),
    });
  }

  #path(): string {
    return this.#inArray ? `/${this.#key}/${this.#index}` : `/${this.#key}`;
  }

  #newLine(at: number): void {
    this.#line++;
    this.#lineStart = this.#offset + at + 1;
  }

  /** Line and column, both from 1; the column counts bytes. */
  #position(offset: number): string {
    return offset >= this.#lineStart ? `${this.#line}:${offset - this.#lineStart + 1}` : `byte ${offset}`;
  }
}

const EXPECTED: Record<Expect, string> = {
  start: "an object, '{'",
  'first key': "a key or '}'",
  key: 'a key',
  colon: "':'",
  value: 'a value',
  'first element': "an element or ']'",
  element: 'an element',
  rest: "',' or a closing bracket",
  end: 'nothing more',
};

function shown(byte: number): string {
  return byte > 0x20 && byte < 0x7f ? `'${String.fromCharCode(byte)}'` : `byte 0x${byte.toString(16)}`;
}

/** What a file may be that is no JSON object, by the byte where that shows. */
function hintOf(byte: number, expect: Expect): string | undefined {
  const character = String.fromCharCode(byte);
  if (expect === 'start' && byte === 0x1f) return 'It is packed with gzip: unpack it first.';
  if (expect === 'start' && character === '[')
    return 'A list holds the results of a model, or annotations alone; a dataset is an object with images, annotations and categories.';
  if (expect === 'end') return 'Several objects after one another are JSON lines; one object is wanted.';
  if ((expect === 'key' && character === '}') || (expect === 'element' && character === ']'))
    return 'There is a comma too many before it.';
  return character === "'" || character === '/' ? jsonFault(`${character}/`, '').hint : undefined;
}

import { RcnnError, unpackHint } from '@rcnn/core/errors';
import { type Id, wholeNumber } from './ids.ts';
import { shown } from './shown.ts';

const QUOTE = 0x22;
const COMMA = 0x2c;
const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;
const COLON = 0x3a;
const OPEN_LIST = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_LIST = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/** Deeper nesting than any annotation has. */
const MAX_DEPTH = 64;

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Powers of ten that doubles hold exactly. */
const TENS = Array.from({ length: 23 }, (_, i) => Number(`1e${i}`));

/**
 * Reads JSON where it lies, byte by byte, without making objects: a results file of half a million detections becomes
 * columns in one pass. Numbers are rounded exactly as `JSON.parse` does. NaN and Infinity, which Python writes, are
 * read as numbers, so that the row they stand in can be named.
 */
export class JsonCursor {
  readonly bytes: Uint8Array;
  readonly where: string;
  position: number = 0;

  constructor(bytes: Uint8Array, where: string) {
    this.bytes = bytes;
    this.where = where;
  }

  /** The next byte that is not white space; it is not taken. 0 at the end. */
  peek(): number {
    const { bytes } = this;
    let p = this.position;
    while (p < bytes.length && bytes[p]! <= 0x20 && isSpace(bytes[p]!)) p++;
    this.position = p;
    return p < bytes.length ? bytes[p]! : 0;
  }

  /** Takes a list, calling `item` at each entry, which it must take. Gives the number of entries. */
  list(item: (index: number) => void): number {
    this.#take(OPEN_LIST, 'a list');
    if (this.#takeIf(CLOSE_LIST)) return 0;
    for (let index = 0; ; index++) {
      item(index);
      if (this.#takeIf(COMMA)) continue;
      this.#take(CLOSE_LIST, "',' or ']'");
      return index + 1;
    }
  }

  /** Takes an object, calling `field` at each value with the bytes of its key; it must take the value. */
  object(field: (start: number, end: number) => void): void {
    this.#take(OPEN_OBJECT, 'an object');
    if (this.#takeIf(CLOSE_OBJECT)) return;
    for (;;) {
      if (this.peek() !== QUOTE) throw this.fail('a key in quotes');
      const start = this.position + 1;
      this.skipString();
      const end = this.position - 1;
      this.#take(COLON, "':'");
      field(start, end);
      if (this.#takeIf(COMMA)) continue;
      this.#take(CLOSE_OBJECT, "',' or '}'");
      return;
    }
  }

  /** Whether the bytes `[start, end)` spell a key of plain characters. */
  spells(start: number, end: number, key: string): boolean {
    if (end - start !== key.length) return false;
    for (let i = 0; i < key.length; i++) if (this.bytes[start + i] !== key.charCodeAt(i)) return false;
    return true;
  }

  /** Takes a number, a boolean as 0 or 1, or null as NaN. Anything else is skipped and NaN. */
  numberOrNaN(): number {
    const next = this.peek();
    if (next === MINUS || (next >= ZERO && next <= 0x39)) return this.number();
    if (next === 0x74) return this.#word('true', 1);
    if (next === 0x66) return this.#word('false', 0);
    if (next === 0x4e) return this.#word('NaN', Number.NaN);
    if (next === 0x49) return this.#word('Infinity', Number.POSITIVE_INFINITY);
    this.skip();
    return Number.NaN;
  }

  /**
   * Takes an id: a number, exactly also beyond 2^53, or text; a boolean as 0 or 1. Anything else is skipped and NaN.
   */
  id(): Id {
    const next = this.peek();
    if (next === QUOTE) return this.string();
    const start = this.position;
    const value = this.numberOrNaN();
    if (Number.isSafeInteger(value) || !Number.isInteger(value)) return value;
    const written = this.#latin(start, this.position);
    return wholeNumber(/^-?\d+$/.test(written) ? written : BigInt(value).toString());
  }

  /** Takes a number. */
  number(): number {
    const { bytes } = this;
    this.peek();
    const start = this.position;
    let p = start;
    const negative = bytes[p] === MINUS;
    if (negative) p++;
    if (bytes[p] === 0x49) {
      this.position = p;
      return this.#word('Infinity', negative ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY);
    }
    const first = p;
    let head = 0; // up to 15 digits, exact
    let headDigits = 0;
    let tail = 0; // up to 4 more
    let tailDigits = 0;
    let decimals = 0;
    let point = false;
    let exact = true;
    for (; ; p++) {
      const digit = bytes[p]! - ZERO;
      if (digit >= 0 && digit <= 9) {
        if (headDigits < 15) {
          head = head * 10 + digit;
          if (head !== 0) headDigits++;
        } else if (tailDigits < 4) {
          tail = tail * 10 + digit;
          tailDigits++;
        } else {
          exact = false;
        }
        if (point) decimals++;
      } else if (bytes[p] === POINT && !point && p > first) {
        point = true;
      } else {
        break;
      }
    }
    const digits = p - first - (point ? 1 : 0);
    if (digits === 0 || (point && decimals === 0) || (bytes[first] === ZERO && digits - decimals > 1)) {
      if (p >= bytes.length) this.position = p;
      throw this.fail('a number');
    }
    const next = bytes[p];
    if (next === 0x65 || next === 0x45) {
      exact = false;
      p = this.#exponent(p + 1);
    }
    this.position = p;
    if (!exact || decimals > 22) return this.#slowNumber(start, p);
    const scale = TENS[decimals]!;
    if (tailDigits === 0) return negative ? -(head / scale) : head / scale; // both exact: one rounding
    const value = divideExactly(head, TENS[tailDigits]!, tail, scale);
    if (Number.isNaN(value)) return this.#slowNumber(start, p);
    return negative ? -value : value;
  }

  #exponent(start: number): number {
    const { bytes } = this;
    let p = start;
    if (bytes[p] === MINUS || bytes[p] === 0x2b) p++;
    const first = p;
    while (bytes[p]! >= ZERO && bytes[p]! <= 0x39) p++;
    if (p === first) {
      this.position = p;
      throw this.fail('digits of an exponent');
    }
    return p;
  }

  #slowNumber(start: number, end: number): number {
    return Number(this.#latin(start, end));
  }

  #latin(start: number, end: number): string {
    let text = '';
    for (let i = start; i < end; i++) text += String.fromCharCode(this.bytes[i]!);
    return text;
  }

  /** Takes a string. */
  string(): string {
    if (this.peek() !== QUOTE) throw this.fail('a string');
    const start = this.position;
    this.skipString();
    // A copy where threads share the memory: decoders refuse that.
    const bytes = this.bytes.slice(start, this.position);
    try {
      return JSON.parse(UTF8.decode(bytes)) as string;
    } catch (cause) {
      this.position = start;
      throw cause instanceof TypeError ? this.#notUtf8() : this.fail('a string');
    }
  }

  #notUtf8(): RcnnError {
    return new RcnnError('FILE_MALFORMED', {
      where: this.where,
      place: this.#lineAndColumn(),
      problem: 'the text is not UTF-8',
      hint: 'Was it saved as Latin-1, Windows-1252 or GBK? Save it as UTF-8.',
    });
  }

  /** Passes over a string. */
  skipString(): void {
    const { bytes } = this;
    let p = this.position + 1;
    for (; ; p++) {
      const byte = bytes[p];
      if (byte === QUOTE) break;
      if (byte === BACKSLASH) p++;
      else if (byte === undefined || byte < 0x20) {
        this.position = Math.min(p, bytes.length);
        throw this.fail('the end of a string');
      }
    }
    this.position = p + 1;
  }

  /** Passes over any value. */
  skip(depth = 0): void {
    if (depth > MAX_DEPTH) throw this.fail(`nesting no deeper than ${MAX_DEPTH}`);
    const next = this.peek();
    if (next === QUOTE) this.skipString();
    else if (next === OPEN_LIST) this.#skipList(depth);
    else if (next === OPEN_OBJECT) this.object(() => this.skip(depth + 1));
    else if (next === MINUS || (next >= ZERO && next <= 0x39)) this.#skipNumber();
    else if (next === 0x74) this.#word('true', 1);
    else if (next === 0x66) this.#word('false', 0);
    else if (next === 0x6e) this.#word('null', 0);
    else if (next === 0x4e) this.#word('NaN', 0);
    else if (next === 0x49) this.#word('Infinity', 0);
    else throw this.fail('a value');
  }

  #skipList(depth: number): void {
    this.position++;
    if (this.#takeIf(CLOSE_LIST)) return;
    for (;;) {
      this.skip(depth + 1);
      if (this.#takeIf(COMMA)) continue;
      this.#take(CLOSE_LIST, "',' or ']'");
      return;
    }
  }

  /** Passes over a number by its characters; what it is worth is not asked. */
  #skipNumber(): void {
    const { bytes } = this;
    let p = this.position + 1;
    if (bytes[p] === 0x49) {
      this.number();
      return;
    }
    for (; ; p++) {
      const byte = bytes[p]!;
      const part = (byte >= ZERO && byte <= 0x39) || byte === POINT || byte === 0x65 || byte === 0x45;
      if (!part && byte !== MINUS && byte !== 0x2b) break;
    }
    this.position = p;
  }

  /** Nothing may follow but white space. */
  end(): void {
    this.peek();
    if (this.position < this.bytes.length) throw this.fail('the end of the file');
  }

  /** The value at the position, as it is written; it is taken. */
  written(): string {
    this.peek();
    const start = this.position;
    this.skip();
    const bytes = this.bytes.slice(start, Math.min(this.position, start + 80));
    return shown(new TextDecoder().decode(bytes));
  }

  /** The error for what stands at the position, with line and column. */
  fail(expected: string): RcnnError {
    const { bytes, position } = this;
    const atEnd = position >= bytes.length;
    const empty = bytes.length === 0;
    const hint = position === 0 ? unpackHint(bytes) : undefined;
    // JSON, but of another kind than is wanted here.
    const other = /^(?:a list|an object|a string|a number)$/.test(expected) ? this.#kind() : undefined;
    return new RcnnError(atEnd ? 'FILE_TRUNCATED' : 'FILE_MALFORMED', {
      where: this.where,
      place: this.#lineAndColumn(),
      problem: empty
        ? 'the file is empty'
        : atEnd
          ? 'the file ends in the middle'
          : other === undefined
            ? 'this is not JSON'
            : 'something else is wanted here',
      ...(hint === undefined && { found: atEnd ? `${bytes.length} bytes` : (other ?? this.#next12()) }),
      expected,
      ...(hint !== undefined && { hint }),
    });
  }

  #next12(): string {
    const { bytes, position } = this;
    return shown(JSON.stringify(this.#latin(position, Math.min(position + 12, bytes.length))));
  }

  /** What kind of value begins at the position. */
  #kind(): string | undefined {
    const next = this.peek();
    if (next === QUOTE) return 'a string';
    if (next === OPEN_LIST) return 'a list';
    if (next === OPEN_OBJECT) return 'an object';
    return next === MINUS || (next >= ZERO && next <= 0x39) ? 'a number' : undefined;
  }

  #lineAndColumn(): string {
    const { bytes, position } = this;
    let line = 1;
    let column = 1;
    for (let i = 0; i < Math.min(position, bytes.length); i++) {
      if (bytes[i] === 0x0a) {
        line++;
        column = 1;
      } else {
        column++;
      }
    }
    return `${line}:${column}`;
  }

  #take(byte: number, expected: string): void {
    if (this.peek() !== byte) throw this.fail(expected);
    this.position++;
  }

  #takeIf(byte: number): boolean {
    if (this.peek() !== byte) return false;
    this.position++;
    return true;
  }

  #word(word: string, value: number): number {
    for (let i = 0; i < word.length; i++) {
      if (this.bytes[this.position + i] === word.charCodeAt(i)) continue;
      if (this.position + i >= this.bytes.length) this.position += i;
      throw this.fail('a value');
    }
    this.position += word.length;
    return value;
  }
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

const SPLIT = 2 ** 27 + 1;

/**
 * `(head * shift + tail) / scale` rounded once, for up to 19 digits: the product and the remainder of the division are
 * kept exactly in two doubles (Dekker 1971). NaN when the quotient is too near the middle of two doubles to tell.
 */
function divideExactly(head: number, shift: number, tail: number, scale: number): number {
  let high = head * shift;
  let low = productError(head, shift, high) + tail; // exact: below 2^53 with a common unit
  const sum = high + low;
  low -= sum - high;
  high = sum;
  const quotient = high / scale;
  const product = quotient * scale;
  const rest = high - product - productError(quotient, scale, product) + low;
  const correction = rest / scale;
  const value = quotient + correction;
  const doubt = Math.abs(correction) * 2 ** -40;
  return quotient + (correction - doubt) === value && quotient + (correction + doubt) === value ? value : Number.NaN;
}

/** `a * b - product`, exactly. */
function productError(a: number, b: number, product: number): number {
  const aBig = a * SPLIT;
  const aHigh = aBig - (aBig - a);
  const aLow = a - aHigh;
  const bBig = b * SPLIT;
  const bHigh = bBig - (bBig - b);
  const bLow = b - bHigh;
  return aHigh * bHigh - product + aHigh * bLow + aLow * bHigh + aLow * bLow;
}

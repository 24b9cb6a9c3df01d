import { BYTES, overBudget, PICKLE_LIMITS } from './meter.ts';
import { type Budget, PickleProblem } from './values.ts';

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const LATIN1 = new TextDecoder('latin1');

/** The bytes of a pickle, read from left to right: numbers and texts as its opcodes write them. */
export class PickleReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #budget: Budget;
  #at: number;

  constructor(bytes: Uint8Array, start: number, budget: Budget) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#budget = budget;
    this.#at = start;
  }

  /** The offset of the next byte. */
  get at(): number {
    return this.#at;
  }

  uint(size: 1 | 2 | 4): number {
    const at = this.#take(size);
    if (size === 1) return this.#bytes[at]!;
    return size === 2 ? this.#view.getUint16(at, true) : this.#view.getUint32(at, true);
  }

  uint64(): number {
    return Number(this.#view.getBigUint64(this.#take(8), true));
  }

  float64(): number {
    return this.#view.getFloat64(this.#take(8));
  }

  /** Two's complement, little-endian. */
  long(length: number): number | bigint {
    if (length > PICKLE_LIMITS.digits) overBudget('bytes in one number', PICKLE_LIMITS.digits);
    const at = this.#take(length);
    let value = 0n;
    for (let i = at + length - 1; i >= at; i--) value = (value << 8n) | BigInt(this.#bytes[i]!);
    return this.#narrowed(BigInt.asIntN(length * 8, value));
  }

  /** A view of the pickle, not a copy. */
  bytes(length: number): Uint8Array {
    if (length > PICKLE_LIMITS.bytes) overBudget('bytes in one value', PICKLE_LIMITS.bytes);
    this.#budget.hold(BYTES.bytes);
    const at = this.#take(length);
    return this.#bytes.subarray(at, at + length);
  }

  utf8(length: number): string {
    const bytes = this.#text(length);
    this.#budget.hold(BYTES.text + 2 * length);
    try {
      return UTF8.decode(bytes);
    } catch {
      throw new PickleProblem(
        'a text that is not UTF-8. Python 2 wrote arrays so (Caffe2, older weights of detectron2), which are not read',
      );
    }
  }

  /** Up to the next line feed. Looks no further than the longest text allowed. */
  line(): string {
    const window = this.#bytes.subarray(this.#at, this.#at + PICKLE_LIMITS.text + 1);
    const length = window.indexOf(0x0a);
    if (length < 0) {
      if (window.length > PICKLE_LIMITS.text) overBudget('bytes in one text', PICKLE_LIMITS.text);
      this.#take(window.length + 1);
    }
    const line = this.#text(length);
    this.#at++;
    this.#budget.hold(BYTES.text + length);
    return LATIN1.decode(line);
  }

  /** A line in quotes, as protocol 0 writes text of Python 2. */
  quoted(): string {
    const match = /^(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)")$/.exec(this.line().slice(0, 4096));
    if (match === null) throw new PickleProblem('a text without its quotes');
    return unescape(match[1] ?? match[2] ?? '', /\\x([\da-fA-F]{2})|\\([\\'"])/g);
  }

  unicodeLine(): string {
    return unescape(this.line(), /\\u([\da-fA-F]{4})|\\U([\da-fA-F]{8})/g);
  }

  integerLine(): number | bigint {
    return this.#integer(this.line());
  }

  /** `00` and `01` are how protocol 0 writes false and true. */
  integerOrBooleanLine(): number | bigint | boolean {
    const line = this.line();
    return line === '00' || line === '01' ? line === '01' : this.#integer(line);
  }

  floatLine(): number {
    const line = this.line();
    const special: Readonly<Record<string, number>> = { nan: Number.NaN, inf: Infinity, '-inf': -Infinity };
    if (Object.hasOwn(special, line)) return special[line]!;
    if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(line)) throw new PickleProblem('a bad number');
    return Number(line);
  }

  #integer(line: string): number | bigint {
    if (line.length > PICKLE_LIMITS.digits) overBudget('digits in one number', PICKLE_LIMITS.digits);
    if (!/^[+-]?\d+L?$/.test(line)) throw new PickleProblem('a bad whole number');
    return this.#narrowed(BigInt(line.replace('+', '').replace('L', '')));
  }

  #narrowed(value: bigint): number | bigint {
    const number = Number(value);
    if (Number.isSafeInteger(number)) return number;
    this.#budget.hold(BYTES.number + PICKLE_LIMITS.digits);
    return value;
  }

  #text(length: number): Uint8Array {
    if (length > PICKLE_LIMITS.text)
      overBudget('bytes in one text (protocol 2 writes arrays so: save the file with protocol 4)', PICKLE_LIMITS.text);
    const at = this.#take(length);
    return this.#bytes.subarray(at, at + length);
  }

  /** Steps over `length` bytes and gives where they begin. */
  #take(length: number): number {
    const at = this.#at;
    if (length > this.#bytes.length - at) throw new PickleProblem('the pickle ends too early', 'FILE_TRUNCATED');
    this.#at += length;
    return at;
  }
}

const LETTERS: Readonly<Record<string, string>> = { '\\\\': '\\', "\\'": "'", '\\"': '"' };

function unescape(text: string, escapes: RegExp): string {
  return text.replace(escapes, (match: string, ...codes: (string | undefined)[]) => {
    if (LETTERS[match] !== undefined) return LETTERS[match];
    const code = Number.parseInt(codes[0] ?? codes[1] ?? '', 16);
    if (!(code <= 0x10ffff)) throw new PickleProblem('a bad escape');
    return String.fromCodePoint(code);
  });
}

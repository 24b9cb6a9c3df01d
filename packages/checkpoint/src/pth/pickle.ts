import { RcnnError } from '@rcnn/core/errors';
import { ALLOWED } from './globals.ts';
import {
  type Budget,
  Global,
  PickleDict,
  PickleList,
  PickleProblem,
  PickleRecord,
  PickleTuple,
  type PickleValue,
} from './values.ts';

/** How much one pickle may ask for before it is refused. Real checkpoints stay far below. */
export const PICKLE_LIMITS: Readonly<Record<'steps' | 'stack' | 'memo' | 'text' | 'digits', number>> = {
  steps: 1e7,
  stack: 1e5,
  memo: 1e6,
  text: 1048576,
  digits: 256,
};

export interface UnpickleOptions {
  /** The file, for errors. */
  readonly where: string;
  /** What the place in errors begins with, e.g. `data.pkl, `. */
  readonly part?: string;
  /** Resolves a persistent id; PyTorch's are storages. Throws {@link PickleProblem}. */
  readonly persistent?: (id: PickleValue) => PickleValue;
}

/**
 * Reads one pickle, protocols 0 to 5, as data: globals must be on the allow-list, opcodes, stack, memo and texts have
 * budgets, and nothing from the file is ever run.
 * @see https://docs.python.org/3/library/pickletools.html
 * @returns the value, and the offset behind the pickle
 * @throws FILE_REFUSED (a global that is not allowed, by name and byte), FILE_MALFORMED, FILE_TRUNCATED, BUDGET_EXCEEDED
 */
export function unpickle(
  bytes: Uint8Array,
  start: number,
  options: UnpickleOptions,
): { value: PickleValue; end: number } {
  return new PickleMachine(bytes, start, options).run();
}

const MARK = Symbol('mark');
type Slot = PickleValue | typeof MARK;

class PickleMachine implements Budget {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #options: UnpickleOptions;
  readonly #stack: Slot[] = [];
  readonly #memo = new Map<number, PickleValue>();
  /** Where the opcode in hand begins. */
  #opcodeAt: number;
  #at: number;
  #steps = 0;

  constructor(bytes: Uint8Array, start: number, options: UnpickleOptions) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#options = options;
    this.#at = start;
    this.#opcodeAt = start;
  }

  run(): { value: PickleValue; end: number } {
    try {
      for (;;) {
        this.spend(1);
        this.#opcodeAt = this.#at;
        const opcode = this.#uint(1);
        if (opcode === 0x2e) return { value: this.#pop(), end: this.#at }; // '.'
        this.#step(opcode);
      }
    } catch (error) {
      if (!(error instanceof PickleProblem)) throw error;
      throw this.#error(error.code, error.message);
    }
  }

  spend(steps: number): void {
    this.#steps += steps;
    if (this.#steps > PICKLE_LIMITS.steps) this.#overBudget('steps', PICKLE_LIMITS.steps);
  }

  /** One opcode. The letters are those of Python's pickle module. */
  #step(opcode: number): void {
    switch (opcode) {
      // protocol and framing
      case 0x80: // PROTO
        if (this.#uint(1) > 5) throw new PickleProblem('a pickle protocol later than 5');
        return;
      case 0x95: // FRAME
        this.#uint64();
        return;
      // constants
      case 0x4e: // N
        return this.#push(null);
      case 0x88: // NEWTRUE
        return this.#push(true);
      case 0x89: // NEWFALSE
        return this.#push(false);
      case 0x4b: // K, BININT1
        return this.#push(this.#uint(1));
      case 0x4d: // M, BININT2
        return this.#push(this.#uint(2));
      case 0x4a: // J, BININT
        return this.#push(this.#uint(4) | 0);
      case 0x49: // I, INT
        return this.#push(this.#textInteger(true));
      case 0x4c: // L, LONG
        return this.#push(this.#textInteger(false));
      case 0x8a: // LONG1
        return this.#push(this.#long(this.#uint(1)));
      case 0x8b: // LONG4
        return this.#push(this.#long(this.#uint(4)));
      case 0x46: // F, FLOAT
        return this.#push(this.#textFloat());
      case 0x47: // G, BINFLOAT
        return this.#push(this.#view.getFloat64(this.#take(8)));
      // text and bytes
      case 0x54: // T, BINSTRING
      case 0x58: // X, BINUNICODE
        return this.#push(this.#utf8(this.#uint(4)));
      case 0x55: // U, SHORT_BINSTRING
      case 0x8c: // SHORT_BINUNICODE
        return this.#push(this.#utf8(this.#uint(1)));
      case 0x8d: // BINUNICODE8
        return this.#push(this.#utf8(this.#uint64()));
      case 0x56: // V, UNICODE
        return this.#push(unescape(this.#line(), /\\u([\da-fA-F]{4})|\\U([\da-fA-F]{8})/g));
      case 0x53: // S, STRING
        return this.#push(this.#quoted());
      case 0x42: // B, BINBYTES
        return this.#push(this.#slice(this.#uint(4)));
      case 0x43: // C, SHORT_BINBYTES
        return this.#push(this.#slice(this.#uint(1)));
      case 0x8e: // BINBYTES8
      case 0x96: // BYTEARRAY8
        return this.#push(this.#slice(this.#uint64()));
      // containers
      case 0x28: // (
        return this.#push(MARK);
      case 0x5d: // ]
      case 0x8f: // EMPTY_SET
        return this.#push(new PickleList());
      case 0x6c: // l
      case 0x91: // FROZENSET
        return this.#push(this.#listOf(this.#popMark()));
      case 0x61: // a
        return this.#append([this.#pop()]);
      case 0x65: // e
      case 0x90: // ADDITEMS
        return this.#append(this.#popMark());
      case 0x29: // )
        return this.#push(new PickleTuple([]));
      case 0x74: // t
        return this.#push(new PickleTuple(this.#popMark()));
      case 0x85: // TUPLE1
      case 0x86: // TUPLE2
      case 0x87: // TUPLE3
        return this.#push(new PickleTuple(this.#popMany(opcode - 0x84)));
      case 0x7d: // }
        return this.#push(new PickleDict());
      case 0x64: // d
        return this.#pushDict(this.#popMark());
      case 0x73: // s
        return this.#setItems(this.#popMany(2));
      case 0x75: // u
        return this.#setItems(this.#popMark());
      // the stack and the memo
      case 0x30: // 0
        if (this.#stack.pop() === undefined) throw new PickleProblem('the stack is empty');
        return;
      case 0x31: // 1
        this.#popMark();
        return;
      case 0x32: // 2
        return this.#push(this.#top());
      case 0x70: // p
        return this.#put(Number(this.#textInteger(false)));
      case 0x71: // q
        return this.#put(this.#uint(1));
      case 0x72: // r
        return this.#put(this.#uint(4));
      case 0x94: // MEMOIZE
        return this.#put(this.#memo.size);
      case 0x67: // g
        return this.#push(this.#get(Number(this.#textInteger(false))));
      case 0x68: // h
        return this.#push(this.#get(this.#uint(1)));
      case 0x6a: // j
        return this.#push(this.#get(this.#uint(4)));
      // names and objects
      case 0x63: // c
        return this.#push(this.#global(this.#line(), this.#line()));
      case 0x93: // STACK_GLOBAL
        return this.#stackGlobal();
      case 0x52: // R
        return this.#reduce();
      case 0x81: // NEWOBJ
        return this.#reduce();
      case 0x92: // NEWOBJ_EX
        return this.#newWithKeywords();
      case 0x69: // i
        return this.#instance(this.#line(), this.#line());
      case 0x6f: // o
        return this.#object();
      case 0x62: // b
        return this.#build();
      case 0x51: // Q
        return this.#push(this.#persistent(this.#pop()));
      case 0x50: // P
        return this.#push(this.#persistent(this.#line()));
      case 0x82: // EXT1
      case 0x83: // EXT2
      case 0x84: // EXT4
        throw new PickleProblem('a global by number (copyreg extension)', 'FILE_REFUSED');
      case 0x97: // NEXT_BUFFER
      case 0x98: // READONLY_BUFFER
        throw new PickleProblem('data outside of the pickle', 'FILE_REFUSED');
      default:
        throw new PickleProblem(`unknown opcode 0x${opcode.toString(16).padStart(2, '0')}`);
    }
  }

  // ---- reading

  /** Steps over `length` bytes and gives where they begin. */
  #take(length: number): number {
    const at = this.#at;
    if (length > this.#bytes.length - at) {
      throw this.#error('FILE_TRUNCATED', 'the pickle ends too early');
    }
    this.#at += length;
    return at;
  }

  #uint(size: 1 | 2 | 4): number {
    const at = this.#take(size);
    if (size === 1) return this.#bytes[at]!;
    return size === 2 ? this.#view.getUint16(at, true) : this.#view.getUint32(at, true);
  }

  #uint64(): number {
    return Number(this.#view.getBigUint64(this.#take(8), true));
  }

  #text(length: number): Uint8Array {
    if (length > PICKLE_LIMITS.text) this.#overBudget('bytes in one text', PICKLE_LIMITS.text);
    const at = this.#take(length);
    return this.#bytes.subarray(at, at + length);
  }

  #slice(length: number): Uint8Array {
    return this.#text(length).slice();
  }

  #utf8(length: number): string {
    const bytes = this.#text(length);
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch {
      throw new PickleProblem('a text that is not UTF-8');
    }
  }

  #line(): string {
    const end = this.#bytes.indexOf(0x0a, this.#at);
    if (end < 0) this.#take(this.#bytes.length - this.#at + 1);
    const line = this.#text(end - this.#at);
    this.#at = end + 1;
    return new TextDecoder('latin1').decode(line);
  }

  #quoted(): string {
    const match = /^(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)")$/.exec(this.#line().slice(0, 4096));
    if (match === null) throw new PickleProblem('a text without its quotes');
    return unescape(match[1] ?? match[2] ?? '', /\\x([\da-fA-F]{2})|\\([\\'"])/g);
  }

  #textInteger(orBoolean: boolean): number | bigint | boolean {
    const line = this.#line();
    if (orBoolean && (line === '00' || line === '01')) return line === '01';
    if (line.length > PICKLE_LIMITS.digits) this.#overBudget('digits in one number', PICKLE_LIMITS.digits);
    if (!/^[+-]?\d+L?$/.test(line)) throw new PickleProblem('a bad whole number');
    return narrowed(BigInt(line.replace('+', '').replace('L', '')));
  }

  #textFloat(): number {
    const line = this.#line();
    const special: Readonly<Record<string, number>> = { nan: Number.NaN, inf: Infinity, '-inf': -Infinity };
    if (Object.hasOwn(special, line)) return special[line]!;
    if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(line)) throw new PickleProblem('a bad number');
    return Number(line);
  }

  /** Two's complement, little-endian. */
  #long(length: number): number | bigint {
    if (length > PICKLE_LIMITS.digits) this.#overBudget('bytes in one number', PICKLE_LIMITS.digits);
    const at = this.#take(length);
    let value = 0n;
    for (let i = at + length - 1; i >= at; i--) value = (value << 8n) | BigInt(this.#bytes[i]!);
    return narrowed(BigInt.asIntN(length * 8, value));
  }

  // ---- the stack

  #push(value: Slot): void {
    if (this.#stack.length >= PICKLE_LIMITS.stack) this.#overBudget('values on the stack', PICKLE_LIMITS.stack);
    this.#stack.push(value);
  }

  #top(): PickleValue {
    const value = this.#stack.at(-1);
    if (value === undefined || value === MARK) throw new PickleProblem('the stack is empty');
    return value;
  }

  #pop(): PickleValue {
    const value = this.#top();
    this.#stack.pop();
    return value;
  }

  #popMany(count: number): PickleValue[] {
    const values = Array.from({ length: count }, () => this.#pop());
    return values.reverse();
  }

  /** All above the last mark, and the mark. */
  #popMark(): PickleValue[] {
    const mark = this.#stack.lastIndexOf(MARK);
    if (mark < 0) throw new PickleProblem('a mark is missing');
    const values = this.#stack.splice(mark + 1) as PickleValue[];
    this.#stack.pop();
    return values;
  }

  #put(index: number): void {
    if (this.#memo.size >= PICKLE_LIMITS.memo) this.#overBudget('memo entries', PICKLE_LIMITS.memo);
    this.#memo.set(index, this.#top());
  }

  #get(index: number): PickleValue {
    const value = this.#memo.get(index);
    if (value === undefined) throw new PickleProblem(`memo entry ${index} is missing`);
    return value;
  }

  // ---- containers

  #listOf(items: readonly PickleValue[]): PickleList {
    const list = new PickleList();
    for (const item of items) list.items.push(item);
    return list;
  }

  #append(items: readonly PickleValue[]): void {
    const list = this.#top();
    if (!(list instanceof PickleList)) throw new PickleProblem('items for something that is not a list');
    for (const item of items) list.items.push(item);
  }

  #pushDict(items: readonly PickleValue[]): void {
    this.#push(new PickleDict());
    this.#setItems(items);
  }

  #setItems(items: readonly PickleValue[]): void {
    const dict = this.#top();
    if (!(dict instanceof PickleDict) || items.length % 2 !== 0) {
      throw new PickleProblem('keys and values for something that is not a dict');
    }
    for (let i = 0; i < items.length; i += 2) dict.entries.set(items[i]!, items[i + 1]!);
  }

  // ---- names and objects

  #global(module: string, name: string): Global {
    const found = ALLOWED.get(`${module}.${name}`);
    if (found !== undefined) return found;
    throw this.#error(
      'FILE_REFUSED',
      `it names ${JSON.stringify(`${module}.${name}`)}, which is not on the list of what a checkpoint may use`,
    );
  }

  #stackGlobal(): void {
    const [module, name] = this.#popMany(2);
    if (typeof module !== 'string' || typeof name !== 'string') throw new PickleProblem('a global without a name');
    this.#push(this.#global(module, name));
  }

  #call(callable: PickleValue, args: readonly PickleValue[]): PickleValue {
    if (!(callable instanceof Global) || callable.call === undefined) {
      const name = callable instanceof Global ? callable.name : typeof callable;
      throw new PickleProblem(`a call of ${name}, which cannot be called`, 'FILE_REFUSED');
    }
    return callable.call(args, this);
  }

  #reduce(): void {
    const [callable, args] = this.#popMany(2);
    if (!(args instanceof PickleTuple)) throw new PickleProblem('a call without a tuple of arguments');
    this.#push(this.#call(callable!, args.items));
  }

  #newWithKeywords(): void {
    const [callable, args, keywords] = this.#popMany(3);
    if (!(args instanceof PickleTuple) || !(keywords instanceof PickleDict) || keywords.entries.size > 0) {
      throw new PickleProblem('a call with keywords', 'FILE_REFUSED');
    }
    this.#push(this.#call(callable!, args.items));
  }

  #instance(module: string, name: string): void {
    const callable = this.#global(module, name);
    this.#push(this.#call(callable, this.#popMark()));
  }

  #object(): void {
    const [callable, ...args] = this.#popMark();
    if (callable === undefined) throw new PickleProblem('an object without a class');
    this.#push(this.#call(callable, args));
  }

  /** State for the object below: fields of a record; attributes of a dict (`_metadata`), which nobody here reads. */
  #build(): void {
    const state = this.#pop();
    const object = this.#top();
    if (object instanceof PickleRecord && state instanceof PickleDict) {
      this.spend(state.entries.size);
      for (const [key, value] of state.entries) object.entries.set(key, value);
    } else if (!(object instanceof PickleDict)) {
      throw new PickleProblem('state for something that has none', 'FILE_REFUSED');
    }
  }

  #persistent(id: PickleValue): PickleValue {
    if (this.#options.persistent === undefined)
      throw new PickleProblem('a reference out of the pickle', 'FILE_REFUSED');
    return this.#options.persistent(id);
  }

  // ---- errors

  #overBudget(what: string, limit: number): never {
    throw this.#error('BUDGET_EXCEEDED', `more than ${limit} ${what}`);
  }

  #error(code: 'FILE_REFUSED' | 'FILE_MALFORMED' | 'FILE_TRUNCATED' | 'BUDGET_EXCEEDED', problem: string): RcnnError {
    const { where, part = '' } = this.#options;
    const place = `${part}byte ${this.#opcodeAt}`;
    if (code === 'FILE_TRUNCATED')
      return new RcnnError(code, { where, place, problem, hint: 'Copy or download it again.' });
    const hint = 'Nothing in the file was run. If you trust it, load it in PyTorch and save its state_dict() again.';
    return new RcnnError(code, { where, place, problem, ...(code === 'FILE_REFUSED' ? { hint } : {}) });
  }
}

function narrowed(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
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

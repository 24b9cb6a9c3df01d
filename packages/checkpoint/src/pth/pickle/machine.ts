import { RcnnError } from '@rcnn/core/errors';
import { PickleMeter } from './meter.ts';
import { PickleObjects } from './objects.ts';
import { PickleReader } from './reader.ts';
import { PickleStack } from './stack.ts';
import { PickleProblem, type PickleValue } from './values.ts';

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
  const machine = new PickleMachine(bytes, start, options.persistent);
  try {
    return machine.run();
  } catch (error) {
    if (!(error instanceof PickleProblem)) throw error;
    throw pickleError(error, machine.opcodeAt, options);
  }
}

class PickleMachine {
  /** Where the opcode in hand begins. */
  opcodeAt: number;
  readonly #persistentLoad: UnpickleOptions['persistent'];
  readonly #meter = new PickleMeter();
  readonly #reader: PickleReader;
  readonly #stack = new PickleStack(this.#meter);
  readonly #objects = new PickleObjects(this.#meter);

  constructor(bytes: Uint8Array, start: number, persistent: UnpickleOptions['persistent']) {
    this.opcodeAt = start;
    this.#reader = new PickleReader(bytes, start, this.#meter);
    this.#persistentLoad = persistent;
  }

  run(): { value: PickleValue; end: number } {
    for (;;) {
      this.#meter.spend(1);
      this.opcodeAt = this.#reader.at;
      const opcode = this.#reader.uint(1);
      if (opcode === 0x2e) {
        this.#objects.finish();
        return { value: this.#stack.pop(), end: this.#reader.at }; // '.'
      }
      this.#step(opcode);
    }
  }

  /** One opcode. The letters are those of Python's pickle module. */
  #step(opcode: number): void {
    switch (opcode) {
      // protocol and framing
      case 0x80: // PROTO
        if (this.#reader.uint(1) > 5) throw new PickleProblem('a pickle protocol later than 5');
        return;
      case 0x95: // FRAME
        this.#reader.uint64();
        return;
      // constants
      case 0x4e: // N
        return this.#stack.push(null);
      case 0x88: // NEWTRUE
        return this.#stack.push(true);
      case 0x89: // NEWFALSE
        return this.#stack.push(false);
      case 0x4b: // K, BININT1
        return this.#stack.push(this.#reader.uint(1));
      case 0x4d: // M, BININT2
        return this.#stack.push(this.#reader.uint(2));
      case 0x4a: // J, BININT
        return this.#stack.push(this.#reader.uint(4) | 0);
      case 0x49: // I, INT
        return this.#stack.push(this.#reader.integerOrBooleanLine());
      case 0x4c: // L, LONG
        return this.#stack.push(this.#reader.integerLine());
      case 0x8a: // LONG1
        return this.#stack.push(this.#reader.long(this.#reader.uint(1)));
      case 0x8b: // LONG4
        return this.#stack.push(this.#reader.long(this.#reader.uint(4)));
      case 0x46: // F, FLOAT
        return this.#stack.push(this.#reader.floatLine());
      case 0x47: // G, BINFLOAT
        return this.#stack.push(this.#reader.float64());
      // text and bytes
      case 0x54: // T, BINSTRING
      case 0x58: // X, BINUNICODE
        return this.#stack.push(this.#reader.utf8(this.#reader.uint(4)));
      case 0x55: // U, SHORT_BINSTRING
      case 0x8c: // SHORT_BINUNICODE
        return this.#stack.push(this.#reader.utf8(this.#reader.uint(1)));
      case 0x8d: // BINUNICODE8
        return this.#stack.push(this.#reader.utf8(this.#reader.uint64()));
      case 0x56: // V, UNICODE
        return this.#stack.push(this.#reader.unicodeLine());
      case 0x53: // S, STRING
        return this.#stack.push(this.#reader.quoted());
      case 0x42: // B, BINBYTES
        return this.#stack.push(this.#reader.bytes(this.#reader.uint(4)));
      case 0x43: // C, SHORT_BINBYTES
        return this.#stack.push(this.#reader.bytes(this.#reader.uint(1)));
      case 0x8e: // BINBYTES8
      case 0x96: // BYTEARRAY8
        return this.#stack.push(this.#reader.bytes(this.#reader.uint64()));
      // containers
      case 0x28: // (
        return this.#stack.mark();
      case 0x5d: // ]
      case 0x8f: // EMPTY_SET
        return this.#stack.push(this.#objects.list());
      case 0x6c: // l
      case 0x91: // FROZENSET
        return this.#stack.push(this.#objects.list(this.#stack.popMark()));
      case 0x61: // a
        return this.#append([this.#stack.pop()]);
      case 0x65: // e
      case 0x90: // ADDITEMS
        return this.#append(this.#stack.popMark());
      case 0x29: // )
        return this.#stack.push(this.#objects.tuple([]));
      case 0x74: // t
        return this.#stack.push(this.#objects.tuple(this.#stack.popMark()));
      case 0x85: // TUPLE1
      case 0x86: // TUPLE2
      case 0x87: // TUPLE3
        return this.#stack.push(this.#objects.tuple(this.#stack.popMany(opcode - 0x84)));
      case 0x7d: // }
        return this.#stack.push(this.#objects.dict());
      case 0x64: // d
        return this.#stack.push(this.#objects.dict(this.#stack.popMark()));
      case 0x73: // s
        return this.#setItems(this.#stack.popMany(2));
      case 0x75: // u
        return this.#setItems(this.#stack.popMark());
      // the stack and the memo
      case 0x30: // 0
        return this.#stack.drop();
      case 0x31: // 1
        this.#stack.popMark();
        return;
      case 0x32: // 2
        return this.#stack.push(this.#stack.top());
      case 0x70: // p
        return this.#stack.memoize(Number(this.#reader.integerLine()));
      case 0x71: // q
        return this.#stack.memoize(this.#reader.uint(1));
      case 0x72: // r
        return this.#stack.memoize(this.#reader.uint(4));
      case 0x94: // MEMOIZE
        return this.#stack.memoize();
      case 0x67: // g
        return this.#stack.recall(Number(this.#reader.integerLine()));
      case 0x68: // h
        return this.#stack.recall(this.#reader.uint(1));
      case 0x6a: // j
        return this.#stack.recall(this.#reader.uint(4));
      // names and objects
      case 0x63: // c
        return this.#stack.push(this.#objects.global(this.#reader.line(), this.#reader.line()));
      case 0x93: // STACK_GLOBAL
        return this.#make(2, (module, name) => this.#objects.global(module!, name!));
      case 0x52: // R
      case 0x81: // NEWOBJ
        return this.#make(2, (callable, args) => this.#objects.reduce(callable!, args!));
      case 0x92: // NEWOBJ_EX
        return this.#make(3, (...parts) => this.#objects.reduceWithKeywords(parts[0]!, parts[1]!, parts[2]!));
      case 0x69: // i
        return this.#instance();
      case 0x6f: // o
        return this.#object();
      case 0x62: // b
        return this.#build(this.#stack.pop());
      case 0x51: // Q
        return this.#stack.push(this.#persistent(this.#stack.pop()));
      case 0x50: // P
        return this.#stack.push(this.#persistent(this.#reader.line()));
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

  /** Puts what `make` makes of the topmost values in their place. */
  #make(count: number, make: (...values: readonly PickleValue[]) => PickleValue): void {
    this.#stack.push(make(...this.#stack.popMany(count)));
  }

  #append(items: readonly PickleValue[]): void {
    this.#objects.append(this.#stack.top(), items);
  }

  #setItems(items: readonly PickleValue[]): void {
    this.#objects.setItems(this.#stack.top(), items);
  }

  #instance(): void {
    const callable = this.#objects.global(this.#reader.line(), this.#reader.line());
    this.#stack.push(this.#objects.call(callable, this.#stack.popMark()));
  }

  #object(): void {
    const parts = this.#stack.popMark();
    this.#stack.push(this.#objects.call(parts[0], parts.slice(1)));
  }

  #build(state: PickleValue): void {
    this.#objects.build(this.#stack.top(), state);
  }

  #persistent(id: PickleValue): PickleValue {
    if (this.#persistentLoad === undefined) throw new PickleProblem('a reference out of the pickle', 'FILE_REFUSED');
    return this.#persistentLoad(id);
  }
}

function pickleError({ code, message: problem }: PickleProblem, at: number, options: UnpickleOptions): RcnnError {
  const { where, part = '' } = options;
  const place = `${part}byte ${at}`;
  if (code === 'FILE_TRUNCATED')
    return new RcnnError(code, { where, place, problem, hint: 'Copy or download it again.' });
  const hint = 'Nothing in the file was run. If you trust it, load it in PyTorch and save its state_dict() again.';
  return new RcnnError(code, { where, place, problem, ...(code === 'FILE_REFUSED' ? { hint } : {}) });
}

import { kernelBase64 } from './kernel-bytes.ts';

/** The compiled `assembly/kernel.ts`; what each function does is said there. Addresses and sizes are in bytes. */
interface Functions {
  readonly memory: WebAssembly.Memory;
  readonly readRows: (text: number, out: number, capacity: number, shift: number) => number;
  readonly allHave: (out: number, capacity: number, column: number, count: number) => number;
  readonly indexIds: (ids: number, count: number, table: number, slots: number) => void;
  readonly findIds: (ids: number, count: number, table: number, slots: number, places: number) => number;
  readonly rowsEnd: () => number;
  readonly failedAt: () => number;
  readonly readMask: (
    text: number,
    height: number,
    width: number,
    mask: number,
    ends: number,
    scratch: number,
    capacity: number,
  ) => number;
  readonly rowsInside: (
    image: number,
    category: number,
    count: number,
    imageTable: number,
    categoryTable: number,
    from: number,
    to: number,
    images: number,
    categories: number,
    rows: number,
  ) => number;
  readonly listCells: (
    truths: number,
    truthCount: number,
    truthImages: number,
    truthColumns: number,
    rows: number,
    count: number,
    images: number,
    columns: number,
    cells: number,
  ) => number;
  readonly anyNaN: (values: number, step: number, rows: number, count: number) => number;
  readonly setParams: (thresholds: number, count: number, ranges: number, areas: number, most: number) => void;
  readonly setTruth: (areas: number, flags: number, boxes: number, order: number) => void;
  readonly setDetections: (scores: number, boxes: number, order: number) => void;
  readonly setOutcomes: (
    scores: number,
    image: number,
    category: number,
    rank: number,
    matched: number,
    ignored: number,
    positives: number,
    scratch: number,
    mostTruths: number,
  ) => void;
  readonly matchBoxCells: (cells: number, count: number) => number;
  readonly matchMaskCell: (cell: number, truthMasks: number, masks: number) => number;
  readonly sortByFallingScore: (order: number, keys: number, spare: number, count: number) => void;
  readonly scoresInOrder: (order: number, count: number, scores: number, keys: number) => void;
  readonly sortByIndex: (
    order: number,
    count: number,
    keys: number,
    buckets: number,
    ends: number,
    sorted: number,
  ) => void;
  readonly setCurves: (
    scores: number,
    rank: number,
    matched: number,
    ignored: number,
    areas: number,
    limits: number,
    limitCount: number,
    thresholds: number,
    recallThresholds: number,
    recalls: number,
  ) => void;
  readonly setArrays: (
    precision: number,
    scores: number,
    recall: number,
    categories: number,
    curves: number,
    needed: number,
    spare: number,
  ) => void;
  readonly writeCategory: (rows: number, count: number, place: number, positives: number) => void;
  readonly meanOf: (values: number, rows: number, which: number, column: number, gathered: number) => number;
}

const PAGE = 2 ** 16;
/** Whatever the kernel keeps for itself lies below. */
const FIRST = PAGE;

type Column = Float64Array | Uint32Array | Int32Array | Uint8Array;

/**
 * The parts of an evaluation that WebAssembly does, with memory of their own: a kernel is made for one task, and its
 * memory goes with it.
 */
export class Kernel {
  readonly run: Functions;
  #next = FIRST;
  #bytes: Uint8Array = new Uint8Array(0);

  private constructor(module: WebAssembly.Module) {
    this.run = new WebAssembly.Instance(module).exports as unknown as Functions;
  }

  /** A new one; undefined where WebAssembly SIMD is missing. */
  static make(): Kernel | undefined {
    compiled ??= compile();
    return compiled === null ? undefined : new Kernel(compiled);
  }

  /** All of its memory; valid until the next {@link room}. */
  get bytes(): Uint8Array {
    const { buffer } = this.run.memory;
    if (this.#bytes.buffer !== buffer) this.#bytes = new Uint8Array(buffer);
    return this.#bytes;
  }

  /** The first address of free memory. */
  get free(): number {
    return this.#next;
  }

  /** Takes room of so many bytes. Gives its address, a multiple of 16. */
  room(bytes: number): number {
    const address = this.#next;
    this.#next = Math.ceil((address + bytes) / 16) * 16;
    this.reach(this.#next);
    return address;
  }

  /** Makes memory up to an address exist. @throws RangeError beyond 4 GiB */
  reach(address: number): void {
    const missing = address - this.run.memory.buffer.byteLength;
    if (missing <= 0) return;
    // Half as much again: growing moves all that is there.
    const wanted = Math.max(missing, Math.min(this.run.memory.buffer.byteLength / 2, 2 ** 32 - PAGE - address));
    this.run.memory.grow(Math.ceil(wanted / PAGE));
  }

  /** Takes room for a column and copies it there. */
  copy(column: Column): number {
    const address = this.room(column.byteLength);
    this.bytes.set(new Uint8Array(column.buffer, column.byteOffset, column.byteLength), address);
    return address;
  }

  /** Gives back all room from an address on. */
  release(address: number): void {
    this.#next = address;
  }

  doubles(address: number, count: number): Float64Array {
    return new Float64Array(this.run.memory.buffer, address, count);
  }

  words(address: number, count: number): Uint32Array {
    return new Uint32Array(this.run.memory.buffer, address, count);
  }

  integers(address: number, count: number): Int32Array {
    return new Int32Array(this.run.memory.buffer, address, count);
  }
}

let compiled: WebAssembly.Module | null | undefined;

function compile(): WebAssembly.Module | null {
  const bytes = Uint8Array.from(atob(kernelBase64), (character) => character.charCodeAt(0));
  // Small enough to compile synchronously on a browser's main thread too.
  if (typeof WebAssembly === 'undefined' || !WebAssembly.validate(bytes)) return null;
  return new WebAssembly.Module(bytes);
}

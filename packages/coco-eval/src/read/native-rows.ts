import { Kernel } from '../kernel.ts';
import type { Row } from './builders.ts';

/** Bytes of the file that the kernel sees at once. */
const WINDOW = 2 ** 20;
/** The kernel looks so far beyond the end, and must find zeros. */
const PADDING = 64;
const CAPACITY = 2048;

/** Columns of the kernel's answer. */
export const COLUMN = {
  id: 0,
  image: 1,
  category: 2,
  score: 3,
  area: 4,
  crowd: 5,
  labelled: 6,
  boxNumbers: 11,
  maskStart: 12,
  maskEnd: 13,
  begin: 14,
  height: 15,
  width: 16,
} as const;
/** Four numbers for each row. */
const BOX = 7;
const COLUMNS = 17;

type Column = (typeof COLUMN)[keyof typeof COLUMN];

/** Reads rows by WebAssembly, many at a time. Whatever is unusual in a row is left to the reader in JavaScript. */
export class NativeRows {
  readonly #kernel: Kernel;
  readonly #file: Uint8Array;
  readonly #text: number;
  readonly #out: number;
  readonly #values: Float64Array;
  #begin = 0; // of the window, in the file
  #end = 0;

  /** undefined where WebAssembly is missing. */
  static of(file: Uint8Array): NativeRows | undefined {
    const kernel = Kernel.make();
    return kernel && new NativeRows(kernel, file);
  }

  private constructor(kernel: Kernel, file: Uint8Array) {
    this.#kernel = kernel;
    this.#file = file;
    this.#text = kernel.room(Math.min(WINDOW, file.length) + PADDING);
    this.#out = kernel.room(8 * COLUMNS * CAPACITY);
    this.#values = kernel.doubles(this.#out, COLUMNS * CAPACITY);
  }

  /** Reads the rows from a position in the file on. Gives how many; 0 where JavaScript must read the next one. */
  read(position: number): number {
    if (position < this.#begin || position >= this.#end) this.#show(position);
    const count = this.#readFrom(position);
    if (count > 0 || !this.#cutOff() || position === this.#begin) return count;
    this.#show(position);
    return this.#readFrom(position);
  }

  #readFrom(position: number): number {
    const shift = this.#begin - this.#text;
    return this.#kernel.run.readRows(position - shift, this.#out, CAPACITY, shift);
  }

  #cutOff(): boolean {
    return this.#end < this.#file.length && this.#kernel.run.failedAt() >= this.#text + this.#end - this.#begin;
  }

  #show(position: number): void {
    this.#begin = position;
    this.#end = Math.min(position + WINDOW, this.#file.length);
    const { bytes } = this.#kernel;
    bytes.set(this.#file.subarray(this.#begin, this.#end), this.#text);
    const end = this.#text + this.#end - this.#begin;
    bytes.fill(0, end, end + PADDING);
  }

  /** Where in the file the last row ends. */
  get end(): number {
    return this.#kernel.run.rowsEnd() - this.#text + this.#begin;
  }

  /** The numbers that the first `count` rows read last have in a column, NaN (masks: -1) for none. Valid until the next. */
  column(column: Column, count: number): Float64Array {
    return this.#values.subarray(column * CAPACITY, column * CAPACITY + count);
  }

  /** `[count * 4]`: the boxes of the first rows, NaN for none. */
  boxes(count: number): Float64Array {
    return this.#values.subarray(BOX * CAPACITY, BOX * CAPACITY + 4 * count);
  }

  /** Whether all of the first `count` rows have a number in a column. */
  allHave(column: Column, count: number): boolean {
    return this.#kernel.run.allHave(this.#out, CAPACITY, column, count) !== 0;
  }

  /** Puts the i-th row that was read last into `row`. */
  fill(i: number, row: Row): void {
    const at = (column: Column): number => this.#values[column * CAPACITY + i]!;
    row.id = at(COLUMN.id);
    row.imageId = at(COLUMN.image);
    row.categoryId = at(COLUMN.category);
    row.score = at(COLUMN.score);
    row.area = at(COLUMN.area);
    row.crowd = at(COLUMN.crowd);
    row.labelled = at(COLUMN.labelled);
    for (let k = 0; k < 4; k++) row.box[k] = this.#values[BOX * CAPACITY + 4 * i + k]!;
    row.boxNumbers = at(COLUMN.boxNumbers);
    row.keypoints.length = 0;
    row.segmentable = true;
  }
}

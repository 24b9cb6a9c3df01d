import { Kernel } from '../kernel.ts';
import type { Row } from './builders.ts';

/** Bytes of the file that the kernel sees at once. */
const WINDOW = 2 ** 20;
/** The kernel looks so far beyond the end, and must find zeros. */
const PADDING = 64;
const CAPACITY = 2048;

/** Where each number of a row stands in the kernel's answer. */
const FIELD = { id: 0, image: 1, category: 2, score: 3, area: 4, crowd: 5, labelled: 6, box: 7, boxNumbers: 11 };
const SPAN = { start: 12, end: 13, row: 14 };
const ROW = 15;

/** Reads rows by WebAssembly, many at a time. Whatever is unusual in a row is left to the reader in JavaScript. */
export class NativeRows {
  readonly #kernel: Kernel;
  readonly #file: Uint8Array;
  readonly #text: number;
  readonly #out: number;
  #values: Float64Array;
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
    this.#out = kernel.room(8 * ROW * CAPACITY);
    this.#values = kernel.doubles(this.#out, ROW * CAPACITY);
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
    return this.#kernel.run.readRows(this.#text + position - this.#begin, this.#out, CAPACITY);
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
    return this.#place(this.#kernel.run.rowsEnd());
  }

  #place(address: number): number {
    return address < 0 ? -1 : address - this.#text + this.#begin;
  }

  /** Puts the i-th row that was read last into `row`. */
  fill(i: number, row: Row): void {
    const values = this.#values;
    const at = i * ROW;
    row.id = values[at + FIELD.id]!;
    row.imageId = values[at + FIELD.image]!;
    row.categoryId = values[at + FIELD.category]!;
    row.score = values[at + FIELD.score]!;
    row.area = values[at + FIELD.area]!;
    row.crowd = values[at + FIELD.crowd]!;
    row.labelled = values[at + FIELD.labelled]!;
    for (let k = 0; k < 4; k++) row.box[k] = values[at + FIELD.box + k]!;
    row.boxNumbers = values[at + FIELD.boxNumbers]!;
    row.keypoints.length = 0;
    row.segmentable = true;
  }

  /** Where in the file the i-th row begins. */
  begins(i: number): number {
    return this.#place(this.#values[i * ROW + SPAN.row]!);
  }

  /** Where in the file the mask of the i-th row begins and ends; -1 without one. */
  maskStart(i: number): number {
    return this.#place(this.#values[i * ROW + SPAN.start]!);
  }

  maskEnd(i: number): number {
    return this.#place(this.#values[i * ROW + SPAN.end]!);
  }
}

import { kernelBase64 } from './kernel-bytes.ts';

/** The compiled `assembly/kernel.ts`. Addresses and sizes are in bytes. What its memory holds, the next caller replaces. */
export interface Kernel {
  readonly memory: WebAssembly.Memory;
  readonly scanColumns: (bitmap: number, pixels: number, out: number, capacity: number) => number;
  readonly scanRows: (
    bitmap: number,
    height: number,
    width: number,
    found: number,
    starts: number,
    out: number,
    capacity: number,
  ) => number;
  readonly readTurns: (text: number, length: number, pixels: number, turns: number) => number;
  readonly mergeTurns: (a: number, b: number, never: number, union: 0 | 1, out: number) => number;
  readonly writeRuns: (ends: number, count: number, out: number) => number;
}

const PAGE = 65536;

/** Runs that the kernel lists; masks with more are left to JavaScript. */
const CAPACITY = 1 << 15;

/** Pixels beyond which the kernel's copy of the bitmap would hold too much memory for good. */
const MAX_PIXELS = 2 ** 24;

let kernel: Kernel | null | undefined;

/** The kernel with at least `bytes` of memory; `undefined` where WebAssembly SIMD is missing. */
export function kernelWithMemory(bytes: number): Kernel | undefined {
  kernel ??= instantiate();
  if (kernel === null) return undefined;
  const needed = bytes - kernel.memory.buffer.byteLength;
  if (needed > 0) kernel.memory.grow(Math.ceil(needed / PAGE));
  return kernel;
}

/**
 * The run lengths of a bitmap, column by column, found by SIMD; `undefined` where WebAssembly SIMD is missing and for
 * bitmaps too large or too restless.
 */
export function findRuns(
  bitmap: Uint8Array | Uint8ClampedArray,
  [height, width]: readonly [number, number],
  order: 'rows' | 'columns',
): Uint32Array | undefined {
  const pixels = height * width;
  if (pixels > MAX_PIXELS || pixels === 0) return undefined;
  const out = Math.ceil(pixels / 16) * 16;
  const found = out + 4 * CAPACITY;
  const starts = found + 8 * CAPACITY;
  const scan = kernelWithMemory(starts + 4 * (width + 1));
  if (scan === undefined) return undefined;
  const { buffer } = scan.memory;
  new Uint8Array(buffer, 0, pixels).set(bitmap);
  let count: number;
  if (order === 'columns') {
    count = scan.scanColumns(0, pixels, out, CAPACITY);
  } else {
    new Uint32Array(buffer, starts, width + 1).fill(0);
    count = scan.scanRows(0, height, width, found, starts, out, CAPACITY);
  }
  return count < 0 ? undefined : new Uint32Array(buffer, out, count).slice();
}

function instantiate(): Kernel | null {
  const bytes = Uint8Array.from(atob(kernelBase64), (character) => character.charCodeAt(0));
  // Small enough to compile synchronously on a browser's main thread too.
  if (typeof WebAssembly === 'undefined' || !WebAssembly.validate(bytes)) return null;
  return new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports as unknown as Kernel;
}

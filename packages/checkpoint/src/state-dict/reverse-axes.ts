import { kernelBase64 } from '../kernel-bytes.ts';

export type NumberArray = Float32Array | Int32Array | Uint8Array;

/**
 * Sides of a stored array. Three axes are enough: all our layouts are PyTorch's read backwards. With S the positions of
 * the kernel or map,
 * - `conv` and the first dense layer after RoIAlign: theirs `[O, I, S]`, ours `[S, I, O]`;
 * - `transposedConv`: theirs `[I, O, S]`, ours `[S, O, I]`;
 * - `linear`: theirs `[O, I]`, ours `[I, O]`, so S is 1.
 */
export type Axes = readonly [a: number, b: number, s: number];

/** Numbers of a slab: it and its result take 4 MiB of the kernel's memory, which the second-level cache holds or nearly. */
const SLAB = 2 ** 19;
/** Arrays with fewer numbers are turned before a slab would be laid out. */
const WORTHWHILE = 4096;

/** Numbers in another order. */
export interface Reordered<T> {
  readonly values: T;
  /** Whether all of them were seen to be finite float32; false where nobody looked. */
  readonly finite: boolean;
}

/** `[A, B, S]` to `[S, B, A]`, always in an array of its own. */
export function reverseAxes<T extends NumberArray>(values: T, axes: Axes): Reordered<T> {
  const kernel = values.BYTES_PER_ELEMENT === 4 && values.length >= WORTHWHILE ? reverseKernel() : undefined;
  const [A, , S] = axes;
  if (kernel === undefined || A * roundUp(S) > SLAB) {
    return { values: reverseAxesInJs(values, axes), finite: false };
  }
  return reverseInSlabs(kernel, values, axes);
}

/** Rows that are carried along at once: one cache line of float32 is written whole. */
const BLOCK = 16;

/** The same in plain JavaScript: for small arrays, bytes, and where WebAssembly SIMD is missing. */
export function reverseAxesInJs<T extends NumberArray>(values: T, [A, B, S]: Axes): T {
  const result = alike(values);
  const row = B * S;
  for (let from = 0; from < A; from += BLOCK) {
    const rows = Math.min(BLOCK, A - from);
    for (let b = 0; b < B; b++) {
      for (let s = 0; s < S; s++) {
        let source = from * row + b * S + s;
        const target = (s * B + b) * A + from;
        for (let a = 0; a < rows; a++, source += row) result[target + a] = values[source]!;
      }
    }
  }
  return result;
}

/** Slabs of all rows and some of the columns: their rows lie together in the source, their places in the result. */
function reverseInSlabs<T extends NumberArray>(
  { memory, reverse }: ReverseKernel,
  values: T,
  [A, B, S]: Axes,
): Reordered<T> {
  const result = alike(values);
  const floats = new (values.constructor as new (buffer: ArrayBuffer) => T)(memory.buffer as ArrayBuffer);
  const most = Math.min(B, Math.max(1, Math.floor((SLAB / A - ROUNDING) / S)));
  let finite = true;
  for (let from = 0; from < B; from += most) {
    const columns = Math.min(most, B - from);
    const length = columns * S;
    const step = roundUp(length);
    for (let a = 0; a < A; a++) {
      const at = (a * B + from) * S;
      floats.set(values.subarray(at, at + length), SOURCE + a * step);
    }
    const turned = SOURCE + A * step;
    if (reverse(A, columns, S, 4 * SOURCE, 4 * step, 4 * turned) === 0) finite = false;
    const place = columns * A;
    for (let s = 0; s < S; s++) {
      result.set(floats.subarray(turned + s * place, turned + (s + 1) * place), (s * B + from) * A);
    }
  }
  return { values: result, finite };
}

function alike<T extends NumberArray>({ constructor, length }: T): T {
  return new (constructor as new (length: number) => T)(length);
}

/** What {@link roundUp} adds at most. */
const ROUNDING = 7;

/** An odd number of vectors: rows a power of two apart would all fall into the same lines of the cache. */
function roundUp(length: number): number {
  const vectors = Math.ceil(length / 4);
  return 4 * (vectors + ((vectors + 1) & 1));
}

/** The compiled `assembly/kernel.ts`: see there. */
interface ReverseKernel {
  readonly memory: WebAssembly.Memory;
  readonly reverse: (
    rows: number,
    columns: number,
    inner: number,
    source: number,
    step: number,
    target: number,
  ) => 0 | 1;
}

const PAGE = 65536;
/** Where slabs begin, in floats. */
const SOURCE = PAGE / 4;

let kernel: ReverseKernel | null | undefined;

/** Made once, with its memory; undefined where WebAssembly SIMD is missing. */
export function reverseKernel(): ReverseKernel | undefined {
  kernel ??= instantiate();
  return kernel ?? undefined;
}

function instantiate(): ReverseKernel | null {
  const bytes = Uint8Array.from(atob(kernelBase64), (character) => character.charCodeAt(0));
  if (!WebAssembly.validate(bytes)) return null;
  const made = new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports as unknown as ReverseKernel;
  made.memory.grow((2 * 4 * SLAB) / PAGE); // a slab and its result
  return made;
}

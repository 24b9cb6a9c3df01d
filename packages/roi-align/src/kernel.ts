import { kernelBase64 } from './kernel-bytes.ts';

/** Where the taps of one axis lie in the kernel's memory: i32 starts, i32 byte offsets, f32 weights. */
export interface TapAddresses {
  readonly starts: number;
  readonly offsets: number;
  readonly weights: number;
}

type RoIFunction = (
  map: number,
  roi: number,
  channels: number,
  rows: number,
  columns: number,
  rowStarts: number,
  rowOffsets: number,
  rowWeights: number,
  columnStarts: number,
  columnOffsets: number,
  columnWeights: number,
  list: number,
) => void;

/** The compiled `assembly/kernel.ts`. One call handles one RoI. */
export interface Kernel {
  readonly memory: WebAssembly.Memory;
  /** Reads a RoI off the map at `map` into `rows * columns * channels` floats at `roi`. */
  readonly forward: RoIFunction;
  /** Adds the gradient of a RoI at `roi` to the gradient of the map at `map`. */
  readonly backward: RoIFunction;
}

const PAGE = 65536;

let compiled: WebAssembly.Module | null | undefined;

/**
 * A fresh kernel with at least `bytes` of memory, or `undefined` where WebAssembly SIMD is missing.
 * Compiling takes well under a millisecond and is done once; memory is freed with the kernel.
 */
export function makeKernel(bytes: number): Kernel | undefined {
  compiled ??= compile();
  if (compiled === null) return undefined;
  const kernel = new WebAssembly.Instance(compiled).exports as unknown as Kernel;
  kernel.memory.grow(Math.ceil(bytes / PAGE)); // all at once: growing detaches every view
  return kernel;
}

function compile(): WebAssembly.Module | null {
  const bytes = Uint8Array.from(atob(kernelBase64), (character) => character.charCodeAt(0));
  // Small enough to compile synchronously on a browser's main thread too.
  return WebAssembly.validate(bytes) ? new WebAssembly.Module(bytes) : null;
}

import { kernelBase64 } from './kernel-bytes.ts';

type EachBin = (
  /** 0: reads the RoI off the map. 1: adds the gradients that stand in it to the gradient of the map. */
  adds: 0 | 1,
  /** Address of the first cell of the map, `[height, width, channels]` float32, be it present or not. */
  map: number,
  /** Address of the RoI's values, `[rows, columns, channels]` float32. */
  roi: number,
  /** Address of scratch memory, {@link scratchBytes} long. */
  scratch: number,
  /** Taps that an axis can have. */
  room: number,
  height: number,
  width: number,
  /** Cells from one row of the map to the next, as they lie in memory. */
  rowLength: number,
  channels: number,
  rows: number,
  columns: number,
  y: number,
  yLength: number,
  ySamples: number,
  x: number,
  xLength: number,
  xSamples: number,
) => void;

/** Scratch memory for a RoI of `rows * columns` bins whose axes have at most `taps` taps per bin. */
export function scratchBytes(rows: number, columns: number, taps: number): number {
  const room = Math.max(rows, columns) * taps;
  return 4 * (rows + 1 + columns + 1 + 4 * room) + 8 * taps * taps;
}

/** The compiled `assembly/kernel.ts`. One call handles one RoI. */
export interface Kernel {
  readonly memory: WebAssembly.Memory;
  readonly eachBin: EachBin;
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

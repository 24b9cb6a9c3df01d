/**
 * Updates in one pass over memory instead of one pass per operation: where tensors are in reach, an update is all
 * memory. Blocks are copied into the kernel's own memory, which stays in the processor's cache.
 */
import { tensorsAreOnHost } from '@rcnn/core';
import * as tf from '@tensorflow/tfjs-core';
import { kernelBase64 } from './kernel-bytes.ts';

/** The compiled `assembly/kernel.ts`: see there. */
export interface UpdateKernel {
  readonly memory: WebAssembly.Memory;
  readonly adamw: (
    count: number,
    ...rest: readonly [p: number, g: number, m: number, v: number, ...settings: AdamWSettings]
  ) => void;
  readonly sgd: (count: number, ...rest: readonly [p: number, g: number, v: number, ...settings: SGDSettings]) => void;
  readonly approach: (count: number, a: number, x: number, share: number) => void;
  readonly squares: (count: number, x: number) => number;
}

export type AdamWSettings = readonly [
  gradientScale: number,
  freshMean: number,
  freshSquare: number,
  kept: number,
  rate: number,
  unbiased: number,
  epsilon: number,
];

export type SGDSettings = readonly [
  gradientScale: number,
  weightDecay: number,
  momentum: number,
  learningRate: number,
  nesterov: 0 | 1,
];

/** Numbers of one array that the kernel takes at a time: four arrays fill a quarter of a small second-level cache. */
const BLOCK = 4096;
const ARRAYS = 4;
const PAGE = 65536;

let kernel: UpdateKernel | null | undefined;

/** Made once; undefined where WebAssembly SIMD is missing. */
export function updateKernel(): UpdateKernel | undefined {
  kernel ??= instantiate();
  return kernel ?? undefined;
}

/**
 * The kernel, where a pass of its own beats the engine's operations.
 * @param copies what reading tensors may cost: nothing (`none`: engines that keep them in JavaScript's memory), or a copy
 *   of each (`allowed`: all engines but those on a GPU)
 */
export function kernelFor(copies: 'none' | 'allowed'): UpdateKernel | undefined {
  const inReach = copies === 'allowed' ? tensorsAreOnHost() : ['onnxruntime', 'cpu'].includes(tf.getBackend());
  return inReach ? updateKernel() : undefined;
}

/** One array of a pass: read from `from` (zeros where it is undefined), written to `to` afterwards where that is given. */
export interface PassArray {
  readonly from: Float32Array | undefined;
  readonly to?: Float32Array | undefined;
}

/**
 * Calls `run(count, addresses)` for each block of up to four arrays of one length. The last block is filled up with
 * zeros to a multiple of four numbers.
 */
export function inBlocks(
  { memory }: UpdateKernel,
  arrays: readonly PassArray[],
  length: number,
  run: (count: number, addresses: readonly number[]) => void,
): void {
  const views = arrays.map((_, k) => new Float32Array(memory.buffer, 4 * BLOCK * k, BLOCK));
  const addresses = views.map(({ byteOffset }) => byteOffset);
  for (let start = 0; start < length; start += BLOCK) {
    const used = Math.min(BLOCK, length - start);
    const count = Math.ceil(used / 4) * 4;
    for (const [k, { from }] of arrays.entries()) {
      const view = views[k]!;
      if (from === undefined) view.fill(0, 0, count);
      else {
        view.set(from.subarray(start, start + used));
        view.fill(0, used, count);
      }
    }
    run(count, addresses);
    for (const [k, { to }] of arrays.entries()) to?.set(views[k]!.subarray(0, used), start);
  }
}

/** The sum of squares, as float32: infinite where it is beyond that. */
export function sumOfSquares(kernel: UpdateKernel, values: Float32Array): number {
  let sum = 0;
  inBlocks(kernel, [{ from: values }], values.length, (count, [x]) => {
    sum += kernel.squares(count, x!);
  });
  return Math.fround(sum);
}

function instantiate(): UpdateKernel | null {
  const bytes = Uint8Array.from(atob(kernelBase64), (character) => character.charCodeAt(0));
  // Small enough to compile synchronously on a browser's main thread too.
  if (typeof WebAssembly === 'undefined' || !WebAssembly.validate(bytes)) return null;
  const made = new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports as unknown as UpdateKernel;
  const missing = 4 * BLOCK * ARRAYS - made.memory.buffer.byteLength;
  if (missing > 0) made.memory.grow(Math.ceil(missing / PAGE));
  return made;
}

/** Filters in Winograd's form, and the way back for their gradients. */
import { type Memory, memoryOf, PLANES, type Place } from './tiles.ts';

const TAPS = 9;

/**
 * Weights of a tap that are taken at once: what they become, 36 times as much, stays in the cache. No power of two, or the
 * same places of all planes would push each other out of it.
 */
const CHUNK = 2048 + 16;

/** A filter of nine matrices of `size` numbers as 36 such matrices. */
export function transformFilter(filter: Float32Array, size: number, target: Float32Array): void {
  eachChunk(size, ({ simd, spare, places: [taps, planes] }, from, count) => {
    gather(filter, TAPS, size, from, count, taps.floats);
    simd.winogradFilter(taps.address, 4 * count, count, planes.address, spare);
    scatter(planes.floats, PLANES, size, from, count, target);
  });
}

/** Gradients of 36 matrices as those of the nine of the filter. */
export function gatherGradient(gradients: Float32Array, size: number, target: Float32Array): void {
  eachChunk(size, ({ simd, spare, places: [taps, planes] }, from, count) => {
    gather(gradients, PLANES, size, from, count, planes.floats);
    simd.winogradGather(planes.address, 4 * count, count, taps.address, spare);
    scatter(taps.floats, TAPS, size, from, count, target);
  });
}

function eachChunk(
  size: number,
  work: (memory: Memory<readonly [Place, Place]>, from: number, count: number) => void,
): void {
  const memory = memoryOf(TAPS * CHUNK, PLANES * CHUNK);
  for (let from = 0; from < size; from += CHUNK) work(memory, from, Math.min(CHUNK, size - from));
}

/** The `count` numbers from `from` on of each of some matrices of `size` numbers, one after the other. */
function gather(
  matrices: Float32Array,
  many: number,
  size: number,
  from: number,
  count: number,
  target: Float32Array,
): void {
  for (let i = 0; i < many; i++) target.set(matrices.subarray(i * size + from, i * size + from + count), i * count);
}

/** The way back of {@link gather}. */
function scatter(
  parts: Float32Array,
  many: number,
  size: number,
  from: number,
  count: number,
  target: Float32Array,
): void {
  for (let i = 0; i < many; i++) target.set(parts.subarray(i * count, (i + 1) * count), i * size + from);
}

import { RcnnError } from '@rcnn/core/errors';
import { kernelWithMemory } from '../kernel.ts';
import { mergeRuns } from './combine.ts';
import { type CompressedMask, checkMaskSize, runsFromString, runsToString } from './runs.ts';

/**
 * Union or intersection of compressed masks of one size, as a compressed mask. The same as reading them, `mergeRuns`
 * and writing the result, only without making the run lengths of each.
 * @throws RLE_INVALID | MASK_SIZE_MISMATCH
 */
export function mergeCompressed(
  masks: readonly CompressedMask[],
  how: 'union' | 'intersection' = 'union',
): CompressedMask {
  const first = masks[0];
  if (first === undefined) {
    throw new RcnnError('INVALID_ARGUMENT', { where: 'mergeCompressed', problem: 'there is no mask to merge' });
  }
  checkMaskSize(first.size, 'mergeCompressed');
  const size = [first.size[0], first.size[1]] as const;
  const counts = mergeQuickly(masks, size[0] * size[1], how === 'union' ? 1 : 0);
  if (counts !== undefined) return { size, counts };
  // Where WebAssembly is missing; a mask beyond 32 bits with a sign, or one that is malformed, whose reader knows what
  // to say of it.
  return {
    size,
    counts: runsToString(
      mergeRuns(
        masks.map((mask) => runsFromString(mask.counts, mask.size)),
        how,
      ),
    ),
  };
}

/** The kernel's positions have 32 bits with a sign, and lists end beyond the last. */
const MAX_QUICK_PIXELS = 2 ** 31 - 2;

/** Masks that take more memory would leave it with the kernel for good. */
const MAX_QUICK_CHARACTERS = 2 ** 20;

/** The most bytes that a run is written in: a difference has 32 bits, in groups of five. */
const MAX_BYTES = 7;

const encoder = new TextEncoder();
const decoder = new TextDecoder();
let memory = new Uint8Array(0); // all of the kernel's

/** The merged string; undefined for what the kernel leaves to others. */
function mergeQuickly(masks: readonly CompressedMask[], pixels: number, union: 0 | 1): string | undefined {
  let characters = 1;
  for (const { counts } of masks) characters += counts.length;
  if (pixels > MAX_QUICK_PIXELS || characters > MAX_QUICK_CHARACTERS) return undefined;
  const list = 8 * Math.ceil((characters + 1) / 2); // a character gives one turn at most
  const text = 3 * list; // three lists of turns, then the text
  const kernel = kernelWithMemory(text + MAX_BYTES * characters);
  if (kernel === undefined) return undefined;
  if (memory.buffer !== kernel.memory.buffer) memory = new Uint8Array(kernel.memory.buffer);
  let [merged, next, spare] = [0, list, 2 * list];
  let turns = -1;
  for (const { size, counts } of masks) {
    if (size[0] !== masks[0]!.size[0] || size[1] !== masks[0]!.size[1]) return undefined;
    // What is not ASCII becomes bytes that no code has.
    const { written } = encoder.encodeInto(counts, memory.subarray(text));
    const read = kernel.readTurns(text, written, pixels, next);
    if (read < 0) return undefined;
    if (turns < 0) {
      turns = read;
      [merged, next] = [next, merged];
    } else {
      turns = kernel.mergeTurns(merged, next, pixels + 1, union, spare);
      [merged, spare] = [spare, merged];
    }
  }
  new Uint32Array(kernel.memory.buffer, merged)[turns] = pixels; // the last run ends with the mask
  const length = kernel.writeRuns(merged, turns + 1, text);
  return decoder.decode(memory.subarray(text, text + length));
}

import { RcnnError } from '@rcnn/core/errors';
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
  // Rare: a mask beyond 32-bit arithmetic, or one that is malformed, whose reader knows what to say of it.
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

/** Sums and differences of positions up to here keep to 32 bits with a sign. */
const MAX_QUICK_PIXELS = 2 ** 31 - 2;

// Kept between calls. Each list of turns (where a mask changes between background and object, ascending) ends with a
// position beyond the mask, so that a merge need not watch for the lists' ends.
const encoder = new TextEncoder();
const decoder = new TextDecoder();
let bytes = new Uint8Array(4096);
let merged = new Uint32Array(4096);
let next = new Uint32Array(4096);
let spare = new Uint32Array(4096);

/** The most bytes that a run is written in: a difference has 32 bits, in groups of five. Read characters have three. */
const MAX_BYTES = 7;

function mergeQuickly(masks: readonly CompressedMask[], pixels: number, union: 0 | 1): string | undefined {
  if (pixels > MAX_QUICK_PIXELS) return undefined;
  const [height, width] = masks[0]!.size;
  reserve(masks);
  let turns = -1;
  for (const { size, counts } of masks) {
    if (size[0] !== height || size[1] !== width) return undefined;
    const { written } = encoder.encodeInto(counts, bytes); // what is not ASCII becomes bytes that no code has
    const read = readTurns(bytes, written, pixels, next);
    if (read < 0) return undefined;
    const into = turns < 0 ? next : spare;
    turns = turns < 0 ? read : mergeTurns(merged, next, pixels + 1, union, spare);
    if (into === next) next = merged;
    else spare = merged;
    merged = into;
  }
  merged[turns] = pixels; // the last run ends with the mask
  return decoder.decode(bytes.subarray(0, writeTurns(merged, turns + 1, bytes)));
}

/** Room for every turn of all masks: a character gives one at most. */
function reserve(masks: readonly CompressedMask[]): void {
  let characters = 1;
  for (const { counts } of masks) characters += counts.length;
  if (bytes.length < MAX_BYTES * characters) bytes = new Uint8Array(2 * MAX_BYTES * characters);
  if (merged.length >= characters) return;
  merged = new Uint32Array(2 * characters);
  next = new Uint32Array(2 * characters);
  spare = new Uint32Array(2 * characters);
}

/**
 * Reads a compressed string's turns.
 * @returns how many there are; -1 for whatever is malformed, or has numbers of more than 30 bits
 */
function readTurns(text: Uint8Array, length: number, pixels: number, turns: Uint32Array): number {
  let runs = 0;
  let position = 0;
  let before = 0;
  let twoBefore = 0;
  for (let p = 0; p < length; ) {
    let group = text[p++]! - 48;
    if (group < 0 || group > 0x3f) return -1;
    let run = (group << 27) >> 27; // five bits with their sign
    if (group >= 0x20) {
      run = group & 0x1f;
      let shift = 5;
      do {
        if (p >= length || shift > 25) return -1;
        group = text[p++]! - 48;
        if (group < 0 || group > 0x3f) return -1;
        run |= (group & 0x1f) << shift;
        shift += 5;
      } while (group >= 0x20);
      if ((group & 0x10) !== 0) run |= -1 << shift;
    }
    if (runs > 2) run = (run + twoBefore) | 0; // wraps to a negative number, never to another
    if (run < 0 || run > pixels - position) return -1;
    position += run;
    twoBefore = before;
    before = run;
    turns[runs++] = position;
  }
  if (position !== pixels || runs === 0) return -1;
  turns[runs - 1] = pixels + 1; // the last run ends with the mask, not with a turn
  return runs - 1;
}

/**
 * Merges two lists of turns without a branch on their order, which no processor could foretell.
 * @param never the position that ends both lists
 * @returns how many turns were written
 */
function mergeTurns(a: Uint32Array, b: Uint32Array, never: number, union: 0 | 1, into: Uint32Array): number {
  // Before the other mask begins, a mask is the union, and the intersection is empty. One of the two begins at once.
  let i = copyBefore(a, 0, b[0]!, into, 0);
  let j = copyBefore(b, 0, a[0]!, into, i);
  let turns = union * (i + j);
  let inside = turns & 1; // a mask is inside after an odd number of turns
  while (a[i]! !== never && b[j]! !== never) {
    const position = b[j]! | 0;
    const ahead = ((a[i]! | 0) - position) | 0;
    into[turns] = position + (ahead & (ahead >> 31)); // the nearer of the two
    i += (ahead - 1) >>> 31; // 1 when a turns here
    j += (-ahead - 1) >>> 31; // 1 when b does
    const now = ((i & j) | ((i | j) & union)) & 1;
    turns += now ^ inside;
    inside = now;
  }
  // One has no turns left: the other decides the union where this one is outside, the intersection where it is inside.
  const ended = (a[i] === never ? i : j) & 1;
  if (ended !== union) {
    turns += copyBefore(a, i, never, into, turns);
    turns += copyBefore(b, j, never, into, turns);
  }
  into[turns] = never;
  return turns;
}

/** Copies the turns that stand before a position. @returns how many */
function copyBefore(turns: Uint32Array, from: number, position: number, into: Uint32Array, at: number): number {
  let i = from;
  for (let to = at; turns[i]! < position; i++) into[to++] = turns[i]!;
  return i - from;
}

/** Writes the runs that end at the given positions as a compressed string. @returns its bytes */
function writeTurns(ends: Uint32Array, runs: number, into: Uint8Array): number {
  let length = 0;
  let position = 0;
  let before = 0;
  let twoBefore = 0;
  for (let i = 0; i < runs; i++) {
    const end = ends[i]! | 0;
    const run = (end - position) | 0;
    let x = i > 2 ? (run - twoBefore) | 0 : run;
    while (x < -16 || x > 15) {
      into[length++] = (x & 0x1f) + 0x20 + 48; // the low five bits, also of a negative number; more follow
      x >>= 5;
    }
    into[length++] = (x & 0x1f) + 48;
    position = end;
    twoBefore = before;
    before = run;
  }
  return length;
}

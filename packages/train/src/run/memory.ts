import { freemem, totalmem } from 'node:os';
import type { ImageSize } from '@rcnn/core';
import { RcnnError } from '@rcnn/core/errors';

/** Bytes that this process may still take. Where the system counts caches as used (macOS), all memory that it has. */
export function availableMemory(): number {
  if (process.platform === 'darwin') return totalmem();
  return process.availableMemory?.() ?? freemem();
}

/** How large images may become, in pixels of the short and of the long side. */
export interface SideLimits {
  readonly minSize: number;
  readonly maxSize: number;
}

/** What can be chosen smaller. */
export interface MemoryOptions {
  readonly batchSize: number;
  /** Undefined where the size of images cannot be chosen. */
  readonly limits: SideLimits | undefined;
}

/**
 * Refuses a training that would be ended by the system for want of memory.
 * @param estimate bytes of a training with other options
 * @param minSizeFlag the option by which the short side is chosen
 * @throws OUT_OF_MEMORY naming options that fit
 */
export function requireMemory(
  now: MemoryOptions,
  estimate: (options: MemoryOptions) => number,
  available: number,
  minSizeFlag = '--model.min-size',
): void {
  const needed = estimate(now);
  if (needed <= available) return;
  const fitting = smallerOptions(now).find((options) => estimate(options) <= available);
  throw new RcnnError('OUT_OF_MEMORY', {
    where: 'training',
    problem: 'a step would not fit into memory',
    found: `${gibibytes(available)} available`,
    expected: `about ${gibibytes(needed)}`,
    hint: `${fitting === undefined ? 'No smaller batch or image fits; take a smaller architecture.' : `This fits: ${flags(fitting, now, minSizeFlag)}.`} To go on all the same: --memory ignore.`,
  });
}

const SCALES = [0.8, 0.65, 0.5, 0.4, 0.3, 0.2, 0.1];

/** What to try, the mildest change first: fewer images at a time, then one smaller image. */
function smallerOptions({ batchSize, limits }: MemoryOptions): MemoryOptions[] {
  const options: MemoryOptions[] = [];
  for (let images = batchSize >> 1; images >= 1; images >>= 1) options.push({ batchSize: images, limits });
  if (limits === undefined) return options;
  const { minSize, maxSize } = limits;
  const round = (pixels: number): number => Math.max(32, Math.floor(pixels / 32) * 32);
  for (const scale of SCALES) {
    options.push({ batchSize: 1, limits: { minSize: round(minSize * scale), maxSize: round(maxSize * scale) } });
  }
  return options;
}

function flags(fitting: MemoryOptions, now: MemoryOptions, minSizeFlag: string): string {
  const changes: readonly (readonly [flag: string, chosen: number | undefined, before: number | undefined])[] = [
    ['--batch-size', fitting.batchSize, now.batchSize],
    [minSizeFlag, fitting.limits?.minSize, now.limits?.minSize],
    ['--model.max-size', fitting.limits?.maxSize, now.limits?.maxSize],
  ];
  return changes
    .filter(([, chosen, before]) => chosen !== before)
    .map(([flag, chosen]) => `${flag} ${chosen}`)
    .join(' ');
}

export function gibibytes(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(1)} GiB`;
}

/** What the engine keeps of freed tensors at most, in bytes. */
const MOST_KEPT = 2 * 2 ** 30;

/**
 * Bytes of a training whose batches differ in shape from step to step: the engine keeps memory of several shapes. 5.7 GiB were
 * seen where the largest batch alone makes 4.3, and 4.7 where it makes 3.6.
 */
export const withManyShapes = (bytes: number): number => bytes + Math.min(0.3 * bytes, MOST_KEPT);

/** Padded size of a batch of the largest images of a set, each of them resized by torchvision's rule. */
export function batchSizeOf(images: Iterable<ImageSize>, { minSize, maxSize }: SideLimits): ImageSize {
  let tall: ImageSize = [0, 0];
  let wide: ImageSize = [0, 0];
  for (const [height, width] of images) {
    const scale = Math.min(minSize / Math.min(height, width), maxSize / Math.max(height, width));
    const [h, w] = [height, width].map((side) => Math.ceil((side * scale) / 32) * 32) as [number, number];
    if (h > w) tall = [Math.max(tall[0], h), Math.max(tall[1], w)];
    else wide = [Math.max(wide[0], h), Math.max(wide[1], w)];
  }
  return tall[0] * tall[1] > wide[0] * wide[1] ? tall : wide;
}

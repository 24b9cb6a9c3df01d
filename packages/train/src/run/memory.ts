import { freemem, totalmem } from 'node:os';
import type { ImageSize, Parameter } from '@rcnn/core';
import { RcnnError } from '@rcnn/core/errors';

/** What decides how much one training step holds at a time. */
export interface StepSize {
  /** Images per batch. */
  readonly batchSize: number;
  /** Of the padded batch, `[height, width]` in pixels. */
  readonly imageSize: ImageSize;
  /** Regions per image on which the heads learn. */
  readonly roisPerImage: number;
  /** Numbers that are kept beside each learning weight: momentum, averages. */
  readonly slots: number;
}

type Parameters = ReadonlyMap<string, Pick<Parameter, 'shape' | 'size' | 'trainable'>>;

/** Share of the regions that have an object, and so a mask: the sampler takes no more. */
const POSITIVE_SHARE = 0.25;

/**
 * Bytes of one float, times what a process was measured to hold for it (`npm run bench -- memory`): a weight is copied
 * while it is saved; an output is there as its norm keeps it and once more after the activation, and the gradients at
 * hand are few beside all outputs; the stem's are the largest maps, padded and pooled, and their gradients come together;
 * of the regions allowed few have a mask.
 */
const BYTES = {
  process: 560 * 2 ** 20,
  perWeight: 4 * 2.6,
  perStemOutput: 4 * 16,
  perOutput: 4 * 2.4,
  perRegionOutput: 4 * 2,
};

/** Peak of the resident memory of a training in bytes, from a model's parameters by torchvision's names. */
export function estimateMemory(parameters: Parameters, size: StepSize): number {
  let bytes = BYTES.process;
  let learns = false; // what comes before the first layer that learns is not kept
  for (const [name, { shape, trainable, size: count }] of parameters) {
    bytes += BYTES.perWeight * count * (trainable ? 2 + size.slots : 1);
    learns ||= trainable;
    if (!learns || shape.length < 2 || !name.endsWith('weight')) continue;
    bytes += bytesPerOutput(name) * size.batchSize * positionsOf(name, size) * outChannels(name, shape);
  }
  return bytes;
}

function bytesPerOutput(name: string): number {
  if (name.startsWith('roi_heads.')) return BYTES.perRegionOutput;
  return isStem(name) ? BYTES.perStemOutput : BYTES.perOutput;
}

const isStem = (name: string): boolean => name.includes('.body.') && !name.includes('.layer');

/** Channels that a layer makes. Kernels are `[height, width, in, out]`, transposed ones `[height, width, out, in]`. */
function outChannels(name: string, shape: readonly number[]): number {
  return shape.at(name.includes('conv5_mask') ? -2 : -1)!;
}

/** Positions per image at which a layer computes. */
function positionsOf(name: string, { imageSize: [height, width], roisPerImage }: StepSize): number {
  const pixels = height * width;
  const stage = /body\.layer(\d)/.exec(name)?.[1];
  if (stage !== undefined) return pixels / 4 ** (Number(stage) + 1);
  if (isStem(name)) return pixels / 4;
  const level = /fpn\.\w+\.(\d)/.exec(name)?.[1];
  if (level !== undefined) return pixels / 4 ** (Number(level) + 2);
  if (name.startsWith('rpn.')) return (pixels / 16) * (4 / 3); // all levels: 1 + 1/4 + 1/16 + …
  if (name.includes('mask')) return roisPerImage * POSITIVE_SHARE * 14 ** 2 * (/conv5_mask|logits/.test(name) ? 4 : 1);
  return roisPerImage * (/box_head\.\d+\.0\./.test(name) ? 7 ** 2 : 1); // convolutions in the box head of version 2
}

/** Bytes that this process may still take. Where the system counts caches as used (macOS), all memory that it has. */
export function availableMemory(): number {
  if (process.platform === 'darwin') return totalmem();
  return process.availableMemory?.() ?? freemem();
}

/** Sizes to choose from, by the options that set them. */
export interface MemoryOptions {
  readonly batchSize: number;
  readonly minSize: number;
  readonly maxSize: number;
}

/**
 * Refuses a training that would be ended by the system for want of memory.
 * @param estimate bytes of a training with other options
 * @throws OUT_OF_MEMORY naming options that fit
 */
export function requireMemory(
  now: MemoryOptions,
  estimate: (options: MemoryOptions) => number,
  available: number,
): void {
  const needed = estimate(now);
  if (needed <= available) return;
  const fitting = smallerOptions(now).find((options) => estimate(options) <= available);
  throw new RcnnError('OUT_OF_MEMORY', {
    where: 'training',
    problem: 'a step would not fit into memory',
    found: `${gibibytes(available)} available`,
    expected: `about ${gibibytes(needed)}`,
    hint: `${fitting === undefined ? 'No smaller batch or image fits; take a smaller architecture.' : `This fits: ${flags(fitting, now)}.`} To go on all the same: --memory ignore.`,
  });
}

const SCALES = [0.8, 0.65, 0.5, 0.4, 0.3, 0.2, 0.1];

/** What to try, the mildest change first: fewer images at a time, then one smaller image. */
function smallerOptions({ batchSize, minSize, maxSize }: MemoryOptions): MemoryOptions[] {
  const options: MemoryOptions[] = [];
  for (let images = batchSize >> 1; images >= 1; images >>= 1) options.push({ batchSize: images, minSize, maxSize });
  const round = (pixels: number): number => Math.max(32, Math.floor(pixels / 32) * 32);
  for (const scale of SCALES) {
    options.push({ batchSize: 1, minSize: round(minSize * scale), maxSize: round(maxSize * scale) });
  }
  return options;
}

function flags(fitting: MemoryOptions, now: MemoryOptions): string {
  const names = { batchSize: '--batch-size', minSize: '--min-size', maxSize: '--max-size' } as const;
  return Object.entries(names)
    .filter(([key]) => fitting[key as keyof MemoryOptions] !== now[key as keyof MemoryOptions])
    .map(([key, flag]) => `${flag} ${fitting[key as keyof MemoryOptions]}`)
    .join(' ');
}

export function gibibytes(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(1)} GiB`;
}

/** Padded size of a batch of the largest images of a set, each of them resized by torchvision's rule. */
export function batchSizeOf(
  images: Iterable<ImageSize>,
  { minSize, maxSize }: Pick<MemoryOptions, 'minSize' | 'maxSize'>,
): ImageSize {
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

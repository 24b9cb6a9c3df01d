import type { ImageSize } from '@rcnn/core';
import { Random } from '@rcnn/core/random';

export interface OrderOptions {
  readonly batchSize: number;
  readonly seed: number;
  readonly epoch: number;
  /** False: in the order of the file. */
  readonly shuffle: boolean;
  /** Leave out a last batch that is not full. */
  readonly dropLast: boolean;
  /** Batches of similar aspect ratio: 2k edges around 1 (k = 3 as in torchvision's recipe), 0 one edge, -1 off. */
  readonly aspectGroups: number;
}

/** Sample indices of an epoch, each once, in an order fixed by seed and epoch. */
export function epochOrder(length: number, seed: number, epoch: number): Int32Array {
  const order = Int32Array.from({ length }, (_, i) => i);
  return new Random(seed).fork('order', epoch).shuffle(order);
}

/**
 * Sample indices of every batch of an epoch, each sample once. With aspect-ratio groups a batch comes from one group while
 * that group can fill it; what is left over is batched across groups, neighbours in ratio together. torchvision leaves
 * such samples out or repeats others, so that the one odd shape of a small dataset is never seen.
 */
export function planBatches(sizes: readonly ImageSize[], options: OrderOptions): readonly (readonly number[])[] {
  const { batchSize, seed, epoch, shuffle, dropLast, aspectGroups } = options;
  const order = shuffle ? [...epochOrder(sizes.length, seed, epoch)] : [...sizes.keys()];
  const { batches, rest } =
    aspectGroups < 0 ? { batches: [], rest: order } : fullBatches(order, sizes, batchSize, aspectEdges(aspectGroups));
  if (dropLast) rest.length -= rest.length % batchSize; // in the order of the epoch: others each time
  if (aspectGroups >= 0) rest.sort((a, b) => ratioOf(sizes[a]!) - ratioOf(sizes[b]!));
  for (let i = 0; i < rest.length; i += batchSize) batches.push(rest.slice(i, i + batchSize));
  return batches;
}

/** `2 ** linspace(-1, 1, 2k + 1)`: the ratios (width / height) at which groups meet. */
export function aspectEdges(k: number): readonly number[] {
  if (k === 0) return [1];
  return Array.from({ length: 2 * k + 1 }, (_, i) => 2 ** (-1 + i / k));
}

/** How many edges are not above the ratio: 0 … edges. */
export function aspectGroup(size: ImageSize, edges: readonly number[]): number {
  const ratio = ratioOf(size);
  return edges.filter((edge) => edge <= ratio).length;
}

function ratioOf([height, width]: ImageSize): number {
  return width / height;
}

/** The batches that a group fills by itself, and the samples of batches that stayed short, all in the given order. */
function fullBatches(
  order: readonly number[],
  sizes: readonly ImageSize[],
  batchSize: number,
  edges: readonly number[],
): { batches: number[][]; rest: number[] } {
  const waiting = new Map<number, number[]>();
  const batches: number[][] = [];
  for (const index of order) {
    const group = aspectGroup(sizes[index]!, edges);
    const batch = waiting.get(group) ?? [];
    batch.push(index);
    waiting.set(group, batch);
    if (batch.length < batchSize) continue;
    batches.push(batch);
    waiting.delete(group);
  }
  const short = new Set([...waiting.values()].flat());
  return { batches, rest: order.filter((index) => short.has(index)) };
}

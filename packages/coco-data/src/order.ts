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
 * Sample indices of every batch of an epoch. With aspect-ratio groups each batch comes from one group, there are
 * `floor(samples / batchSize)` of them, and what is left over is topped up by repeating samples of the fullest groups.
 */
export function planBatches(sizes: readonly ImageSize[], options: OrderOptions): readonly (readonly number[])[] {
  const { batchSize, seed, epoch, shuffle, dropLast, aspectGroups } = options;
  const order = shuffle ? [...epochOrder(sizes.length, seed, epoch)] : [...sizes.keys()];
  if (aspectGroups >= 0) return groupedBatches(order, sizes, batchSize, aspectEdges(aspectGroups));
  const batches: number[][] = [];
  for (let i = 0; i < order.length; i += batchSize) batches.push(order.slice(i, i + batchSize));
  if (dropLast && (batches.at(-1)?.length ?? batchSize) < batchSize) batches.pop();
  return batches;
}

/** `2 ** linspace(-1, 1, 2k + 1)`: the ratios (width / height) at which groups meet. */
export function aspectEdges(k: number): readonly number[] {
  if (k === 0) return [1];
  return Array.from({ length: 2 * k + 1 }, (_, i) => 2 ** (-1 + i / k));
}

/** How many edges are not above the ratio: 0 … edges. */
export function aspectGroup([height, width]: ImageSize, edges: readonly number[]): number {
  const ratio = width / height;
  return edges.filter((edge) => edge <= ratio).length;
}

function groupedBatches(
  order: readonly number[],
  sizes: readonly ImageSize[],
  batchSize: number,
  edges: readonly number[],
): number[][] {
  const waiting = new Map<number, number[]>();
  const members = new Map<number, number[]>();
  const batches: number[][] = [];
  for (const index of order) {
    const group = aspectGroup(sizes[index]!, edges);
    append(members, group, index);
    const batch = append(waiting, group, index);
    if (batch.length < batchSize) continue;
    batches.push(batch);
    waiting.delete(group);
  }
  const fullestFirst = [...waiting].sort(([, a], [, b]) => b.length - a.length);
  for (const [group, batch] of fullestFirst) {
    if (batches.length >= Math.floor(order.length / batchSize)) break;
    const again = members.get(group)!;
    for (let i = 0; batch.length < batchSize; i++) batch.push(again[i % again.length]!);
    batches.push(batch);
  }
  return batches;
}

function append(lists: Map<number, number[]>, key: number, value: number): number[] {
  const list = lists.get(key) ?? [];
  list.push(value);
  lists.set(key, list);
  return list;
}

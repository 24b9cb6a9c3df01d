import type { ImageSize } from '@rcnn/core';
import type { Dataset } from './dataset.ts';

/** An image and the boxes of what can be learnt on it. */
export interface SizedImage {
  readonly size: ImageSize;
  readonly boxes: readonly (readonly [x1: number, y1: number, x2: number, y2: number])[];
}

/** How large objects are beside their images: what an image size, anchors and limits follow from. Plain data. */
export interface ObjectSizes {
  readonly images: number;
  readonly objects: number;
  /** Objects in the image that has most. */
  readonly mostObjects: number;
  /** Medians of the images' sides, in pixels. */
  readonly shortSide: number;
  readonly longSide: number;
  /**
   * Sides of the objects, the square roots of their boxes' areas, as shares of their images' short sides: what one in
   * twenty is below, half are below, and one in twenty is above. Whatever images are resized to, shares stay.
   */
  readonly small: number;
  readonly typical: number;
  readonly large: number;
  /** Objects by their sides in pixels: below 8, 16, 32, … 1024, and the rest. */
  readonly histogram: readonly { readonly below: number | null; readonly objects: number }[];
}

const EDGES = [8, 16, 32, 64, 128, 256, 512, 1024];

/** Images of a dataset with the boxes that are learnt from; crowds are not. */
export function sizedImages(dataset: Dataset): SizedImage[] {
  return dataset.images.map(({ size }, index) => ({
    size,
    boxes: dataset
      .annotations(index)
      .filter(({ crowd }) => !crowd)
      .map(({ box }) => box),
  }));
}

/** Undefined when there is no object to measure. */
export function objectSizes(images: readonly SizedImage[]): ObjectSizes | undefined {
  const sides = images.flatMap(({ boxes }) => boxes.map(sideOf));
  if (sides.length === 0) return undefined;
  const shares = images.flatMap(({ size, boxes }) => boxes.map((box) => sideOf(box) / Math.min(...size)));
  shares.sort((a, b) => a - b);
  const middle = (values: readonly number[]): number => quantile(values.toSorted((a, b) => a - b), 0.5); // biome-ignore format: one line
  return {
    images: images.length,
    objects: sides.length,
    mostObjects: images.reduce((most, { boxes }) => Math.max(most, boxes.length), 0),
    shortSide: middle(images.map(({ size }) => Math.min(...size))),
    longSide: middle(images.map(({ size }) => Math.max(...size))),
    small: quantile(shares, 0.05),
    typical: quantile(shares, 0.5),
    large: quantile(shares, 0.95),
    histogram: histogramOf(sides),
  };
}

/** The side of the square of a box's area, in its pixels. */
export function sideOf([x1, y1, x2, y2]: SizedImage['boxes'][number]): number {
  return Math.sqrt(Math.max(0, x2 - x1) * Math.max(0, y2 - y1));
}

/** The value of sorted ones that this share of them is at or below. */
function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!;
}

function histogramOf(sides: readonly number[]): ObjectSizes['histogram'] {
  const counts = new Array<number>(EDGES.length + 1).fill(0);
  for (const side of sides) {
    const found = EDGES.findIndex((edge) => side < edge);
    counts[found < 0 ? EDGES.length : found]!++;
  }
  return counts.map((objects, i) => ({ below: EDGES[i] ?? null, objects }));
}

import type { PixelImage } from '@rcnn/core';
import { PatchMask } from '@rcnn/transforms';

/** Index of the white border that VOC draws between objects. */
const BORDER = 255;

/** The colour of an index in VOC's palette: its bits, spread over the three channels from the top. */
export function vocColor(index: number): readonly [red: number, green: number, blue: number] {
  const color: [number, number, number] = [0, 0, 0];
  for (let bit = 0, rest = index; bit < 8; bit++, rest >>= 3) {
    for (let c = 0; c < 3; c++) color[c as 0 | 1 | 2] |= ((rest >> c) & 1) << (7 - bit);
  }
  return color;
}

const PALETTE: ReadonlyMap<number, number> = new Map(
  Array.from({ length: 256 }, (_, index) => {
    const [red, green, blue] = vocColor(index);
    return [(red << 16) | (green << 8) | blue, index] as const;
  }),
);

/**
 * The objects of a SegmentationObject image by their index: palette colours, or grey levels where a tool saved the
 * indices themselves. The background (0) and the border (255) belong to nobody.
 */
export function instancesOf({ data, height, width }: PixelImage): ReadonlyMap<number, PatchMask> {
  const colorAt = (i: number): number => (data[3 * i]! << 16) | (data[3 * i + 1]! << 8) | data[3 * i + 2]!;
  const count = height * width;
  let grey = true;
  for (let i = 0; i < count && grey; i++) grey = data[3 * i] === data[3 * i + 1] && data[3 * i] === data[3 * i + 2];
  const indexAt = (i: number): number => (grey ? data[3 * i]! : (PALETTE.get(colorAt(i)) ?? 256 + colorAt(i)));
  const bitmaps = new Map<number, Uint8Array>();
  for (let i = 0; i < count; i++) {
    const index = indexAt(i);
    if (index === 0 || index === BORDER) continue;
    let bitmap = bitmaps.get(index);
    if (bitmap === undefined) bitmaps.set(index, (bitmap = new Uint8Array(count)));
    bitmap[i] = 1;
  }
  const sorted = [...bitmaps].sort(([a], [b]) => a - b);
  return new Map(
    sorted.map(([index, bitmap]) => [
      index,
      PatchMask.fromPatch([height, width], { x: 0, y: 0, width, height }, bitmap),
    ]),
  );
}

type Box = readonly [number, number, number, number];

/**
 * Which mask belongs to which box. VOC numbers objects in the order of the XML; where that does not fit, the mask whose
 * extent overlaps best is taken. Undefined for a box that no mask fits (IoU under 0.5).
 * @param numbers of the objects in the XML, from 1. Default one after the other
 */
export function matchInstances(
  boxes: readonly Box[],
  masks: ReadonlyMap<number, PatchMask>,
  numbers: readonly number[] = boxes.map((_, i) => i + 1),
): readonly (PatchMask | undefined)[] {
  const left = new Map(masks);
  const matched = boxes.map((box, i) => {
    const mask = left.get(numbers[i]!);
    if (mask === undefined || boxIoU(box, mask.box) < 0.5) return undefined;
    left.delete(numbers[i]!);
    return mask;
  });
  for (const [i, box] of boxes.entries()) {
    if (matched[i] !== undefined) continue;
    const best = [...left].sort(([, a], [, b]) => boxIoU(box, b.box) - boxIoU(box, a.box))[0];
    if (best === undefined || boxIoU(box, best[1].box) < 0.5) continue;
    matched[i] = best[1];
    left.delete(best[0]);
  }
  return matched;
}

function boxIoU(a: Box, b: Box): number {
  const width = Math.max(0, Math.min(a[2], b[2]) - Math.max(a[0], b[0]));
  const height = Math.max(0, Math.min(a[3], b[3]) - Math.max(a[1], b[1]));
  const shared = width * height;
  const area = ([x1, y1, x2, y2]: Box): number => (x2 - x1) * (y2 - y1);
  return shared === 0 ? 0 : shared / (area(a) + area(b) - shared);
}

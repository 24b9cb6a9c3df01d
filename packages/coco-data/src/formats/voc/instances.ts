import type { ImageSize, PixelImage } from '@rcnn/core';
import { RcnnError } from '@rcnn/core/errors';
import { Mask } from '@rcnn/masks';

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

/** Objects that the palette has colours for: all but the background and the border. */
const PALETTE_OBJECTS = 254;

/**
 * The objects of a SegmentationObject image by their index: palette colours, or grey levels where a tool saved the
 * indices themselves. The background (0) and the border (255) belong to nobody.
 * @param most colours that are taken for objects; never less than the palette has
 * @throws FILE_MALFORMED where there are more, as in a picture that was smoothed
 */
export function instancesOf(
  image: PixelImage,
  most: number = 0,
  where: string = 'instancesOf',
): ReadonlyMap<number, Mask> {
  const runs = new Map<number, number[]>();
  const limit = Math.max(most, PALETTE_OBJECTS);
  forEachRun(image, (index, from, to) => {
    if (index === 0 || index === BORDER) return;
    let own = runs.get(index);
    if (own === undefined) runs.set(index, (own = []));
    if (runs.size > limit) throw tooManyColors(where, limit);
    own.push(from, to);
  });
  const sorted = [...runs].sort(([a], [b]) => a - b);
  return new Map(sorted.map(([index, own]) => [index, maskOfRuns(own, [image.height, image.width])]));
}

/** Each run of pixels of one index, column by column as masks are kept: no more memory than the outlines are long. */
function forEachRun(image: PixelImage, take: (index: number, from: number, to: number) => void): void {
  const { height, width } = image;
  const indexAt = indexReader(image);
  let [from, before] = [0, 0];
  for (let x = 0, at = 0; x < width; x++) {
    for (let y = 0; y < height; y++, at++) {
      const index = indexAt(y * width + x);
      if (index === before) continue;
      if (at > from) take(before, from, at);
      [from, before] = [at, index];
    }
  }
  if (height * width > from) take(before, from, height * width);
}

/** The index of a pixel; a colour that is not in the palette is a number of its own. */
function indexReader({ data, height, width }: PixelImage): (pixel: number) => number {
  const count = height * width;
  let grey = true;
  for (let i = 0; i < count && grey; i++) grey = data[3 * i] === data[3 * i + 1] && data[3 * i] === data[3 * i + 2];
  if (grey) return (i) => data[3 * i]!;
  return (i) => {
    const color = (data[3 * i]! << 16) | (data[3 * i + 1]! << 8) | data[3 * i + 2]!;
    return PALETTE.get(color) ?? 256 + color;
  };
}

/** @param runs where each run begins and ends, column by column */
function maskOfRuns(runs: readonly number[], size: ImageSize): Mask {
  const ends = [0, ...runs, size[0] * size[1]];
  const counts = Uint32Array.from({ length: ends.length - 1 }, (_, i) => ends[i + 1]! - ends[i]!);
  return Mask.fromRuns({ size, counts: counts.at(-1) === 0 ? counts.subarray(0, -1) : counts });
}

function tooManyColors(where: string, limit: number): RcnnError {
  return new RcnnError('FILE_MALFORMED', {
    where,
    problem: 'the segmentation has more colours than objects',
    found: `more than ${limit}`,
    expected: 'one colour for each object',
    hint: 'Save it without smoothing, which mixes colours along edges.',
  });
}

type Box = readonly [number, number, number, number];

/**
 * Which mask belongs to which box. VOC numbers objects in the order of the XML; where that does not fit, the mask whose
 * extent overlaps best is taken. Undefined for a box that no mask fits (IoU under 0.5).
 * @param numbers of the objects in the XML, from 1. Default one after the other
 */
export function matchInstances(
  boxes: readonly Box[],
  masks: ReadonlyMap<number, Mask>,
  numbers: readonly number[] = boxes.map((_, i) => i + 1),
): readonly (Mask | undefined)[] {
  const left = new Map([...masks].map(([index, mask]) => [index, { mask, box: mask.box() }]));
  const matched = boxes.map((box, i) => {
    const own = left.get(numbers[i]!);
    if (own === undefined || boxIoU(box, own.box) < 0.5) return undefined;
    left.delete(numbers[i]!);
    return own.mask;
  });
  for (const [i, box] of boxes.entries()) {
    if (matched[i] !== undefined) continue;
    const best = [...left].sort(([, a], [, b]) => boxIoU(box, b.box) - boxIoU(box, a.box))[0];
    if (best === undefined || boxIoU(box, best[1].box) < 0.5) continue;
    matched[i] = best[1].mask;
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

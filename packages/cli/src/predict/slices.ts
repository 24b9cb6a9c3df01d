import type { Detection, DetectionMask, ImageSize, PixelImage, RunLengths } from '@rcnn/core';
import { Mask } from '@rcnn/masks';
import type { Finder } from './finder.ts';

/** A part of an image. */
export interface Slice {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/**
 * Squares of `side` pixels that cover an image, each sharing at least the fraction `overlap` with its neighbours. The
 * last of a row ends at the edge. An image no larger than one slice is one.
 */
export function slicesOf([height, width]: ImageSize, side: number, overlap: number): Slice[] {
  const starts = (length: number): number[] => {
    if (length <= side) return [0];
    const count = Math.ceil((length - side) / Math.max(1, Math.floor(side * (1 - overlap)))) + 1;
    return Array.from({ length: count }, (_, i) => Math.round((i * (length - side)) / (count - 1)));
  };
  return starts(height).flatMap((top) =>
    starts(width).map((left) => ({
      left,
      top,
      width: Math.min(side, width - left),
      height: Math.min(side, height - top),
    })),
  );
}

/**
 * Finds small objects in large images: in the whole image and in slices of it, where they are as large as the model
 * knows them (Akyon et al. 2022, arXiv:2202.06934). What was found twice is merged.
 */
export async function detectInSlices(
  detect: (image: PixelImage) => Promise<readonly Detection[]>,
  image: PixelImage,
  { side, overlap }: { readonly side: number; readonly overlap: number },
): Promise<Detection[]> {
  const size: ImageSize = [image.height, image.width];
  const found = [...(await detect(image))];
  const slices = slicesOf(size, side, overlap);
  if (slices.length === 1) return found;
  for (const slice of slices) {
    const inside = await detect(cut(image, slice));
    found.push(...inside.map((detection) => placed(detection, slice, size)));
  }
  return merged(found);
}

/** A model that looks at slices too, as a model. */
export function slicedDetect(
  model: Finder,
  slicing: { readonly side: number; readonly overlap: number },
): Finder['detect'] {
  return async (images, options) => {
    const detect = async (part: PixelImage): Promise<readonly Detection[]> => (await model.detect([part], options))[0]!;
    const found: Detection[][] = [];
    for (const image of images) found.push(await detectInSlices(detect, image, slicing));
    return found;
  };
}

/** Boxes that overlap as much (IoU) are one object. */
const SAME = 0.5;

/** A box that lies in another of its class to this share is a piece of it, cut off by the edge of a slice. */
const PIECE = 0.8;

/** Non-maximum suppression per class over all slices: the best of each object stays. */
export function merged(detections: readonly Detection[]): Detection[] {
  const kept: Detection[] = [];
  for (const detection of detections.toSorted((a, b) => b.score - a.score)) {
    const isKnown = kept.some((other) => other.label === detection.label && isSame(other.box, detection.box));
    if (!isKnown) kept.push(detection);
  }
  return kept;
}

function isSame(a: Detection['box'], b: Detection['box']): boolean {
  const width = Math.min(a[2], b[2]) - Math.max(a[0], b[0]);
  const height = Math.min(a[3], b[3]) - Math.max(a[1], b[1]);
  if (width <= 0 || height <= 0) return false;
  const shared = width * height;
  const [areaA, areaB] = [area(a), area(b)];
  return shared / (areaA + areaB - shared) > SAME || shared / Math.min(areaA, areaB) > PIECE;
}

function area([x1, y1, x2, y2]: Detection['box']): number {
  return (x2 - x1) * (y2 - y1);
}

/** The pixels of a slice. */
export function cut({ data, width, channels }: PixelImage, { left, top, ...size }: Slice): PixelImage {
  const rows = data.slice(0, size.width * size.height * channels); // of the same type
  for (let row = 0; row < size.height; row++) {
    const start = ((top + row) * width + left) * channels;
    rows.set(data.subarray(start, start + size.width * channels), row * size.width * channels);
  }
  return { data: rows, height: size.height, width: size.width, channels };
}

/** A detection of a slice in the whole image. */
function placed(
  { box: [x1, y1, x2, y2], mask, keypoints, ...rest }: Detection,
  slice: Slice,
  size: ImageSize,
): Detection {
  const { left, top } = slice;
  return {
    ...rest,
    box: [x1 + left, y1 + top, x2 + left, y2 + top],
    ...(mask && { mask: placedMask(mask, slice, size) }),
    ...(keypoints && { keypoints: keypoints.map(([x, y, score]) => [x + left, y + top, score] as const) }),
  };
}

/** The mask is moved when it is first looked at: of what the merge throws away it never is. */
function placedMask(mask: DetectionMask, { left, top, height, width }: Slice, size: ImageSize): DetectionMask {
  let whole: Mask | undefined;
  const moved = (): Mask => (whole ??= Mask.fromRuns(placedRuns(mask.runLengths(), [top, left], size)));
  return {
    size,
    runLengths: () => moved().runLengths(),
    bitmap: () => moved().bitmap(),
    rle: () => moved().rle(),
    polygons: () => moved().polygons(),
    soft() {
      const part = mask.soft();
      const soft = new Float32Array(size[0] * size[1]);
      for (let row = 0; row < height; row++) {
        soft.set(part.subarray(row * width, (row + 1) * width), (top + row) * size[1] + left);
      }
      return soft;
    },
  };
}

/** Run lengths of a part as those of the whole: column by column, as COCO counts. */
export function placedRuns(
  { size, counts }: RunLengths,
  [top, left]: ImageSize,
  [height, width]: ImageSize,
): RunLengths {
  const [partHeight] = size;
  const runs: number[] = [];
  let end = 0; // of the last run of ones, in pixels of the whole, column-major
  let at = 0; // in the part
  counts.forEach((count, i) => {
    let remaining = i % 2 === 1 ? count : 0;
    while (remaining > 0) {
      const [column, row] = [Math.floor(at / partHeight), at % partHeight];
      const length = Math.min(remaining, partHeight - row);
      const start = (left + column) * height + top + row;
      if (start === end && runs.length > 0) runs[runs.length - 1]! += length;
      else runs.push(start - end, length);
      end = start + length;
      at += length;
      remaining -= length;
    }
    if (i % 2 === 0) at += count;
  });
  if (end < height * width || runs.length === 0) runs.push(height * width - end);
  return { size: [height, width], counts: Uint32Array.from(runs) };
}

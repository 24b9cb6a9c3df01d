import { type ImageSize, RcnnError } from '@rcnn/core';

const { fround, min, max } = Math;

/** Boxes on the host: `[R * 4]`, `x1, y1, x2, y2` in pixels. No boxes is a normal value: length 0. */
export type Boxes = Float32Array;

/** How many boxes an array of `[R * 4]` holds. @throws SHAPE_MISMATCH when the length is no multiple of 4 */
export function countBoxes(boxes: Boxes, where = 'countBoxes'): number {
  requireNumbers(boxes, where, 'boxes');
  if (boxes.length % 4 !== 0) {
    throw new RcnnError('SHAPE_MISMATCH', {
      where,
      problem: 'boxes are four numbers each',
      found: `${boxes.length} numbers`,
      expected: 'a multiple of 4',
    });
  }
  return boxes.length / 4;
}

/**
 * Boxes are chosen and compared on the host, so they come as plain numbers; a tensor is told what to do.
 * @param what the argument's name
 * @throws INVALID_ARGUMENT
 */
export function requireNumbers(values: unknown, where: string, what: string): asserts values is ArrayLike<number> {
  if (ArrayBuffer.isView(values) || Array.isArray(values)) return;
  const { shape } = (values ?? {}) as { shape?: unknown };
  const isTensor = Array.isArray(shape);
  throw new RcnnError('INVALID_ARGUMENT', {
    where,
    place: what,
    problem: 'these are no plain numbers',
    found: isTensor ? `a tensor [${shape.join(',')}]` : values === null ? 'null' : typeof values,
    expected: 'a Float32Array, row after row',
    ...(isTensor && { hint: 'Read the tensor first: await tensor.data().' }),
  });
}

/** Area of each box, `(x2 - x1) * (y2 - y1)`: coordinates are continuous, so nothing is added. `[R]` */
export function boxArea(boxes: Boxes): Float32Array {
  const areas = new Float32Array(countBoxes(boxes, 'boxArea'));
  for (let i = 0, p = 0; i < areas.length; i++, p += 4) {
    areas[i] = fround(boxes[p + 2]! - boxes[p]!) * fround(boxes[p + 3]! - boxes[p + 1]!);
  }
  return areas;
}

/**
 * Intersection over union of box `i` of `a` and box `j` of `b`, given their areas. Every step is rounded to float32,
 * so that comparisons with a threshold fall as they do in torchvision. 0 / 0 (two empty boxes) is NaN, as there.
 */
export function overlap(a: Boxes, i: number, areaA: number, b: Boxes, j: number, areaB: number): number {
  const p = i * 4;
  const q = j * 4;
  const left = a[p]! > b[q]! ? a[p]! : b[q]!;
  const right = a[p + 2]! < b[q + 2]! ? a[p + 2]! : b[q + 2]!;
  if (right <= left) return disjoint(areaA + areaB); // most pairs of most images end here
  const top = a[p + 1]! > b[q + 1]! ? a[p + 1]! : b[q + 1]!;
  const bottom = a[p + 3]! < b[q + 3]! ? a[p + 3]! : b[q + 3]!;
  if (bottom <= top) return disjoint(areaA + areaB);
  const intersection = fround(fround(right - left) * fround(bottom - top));
  return fround(intersection / fround(fround(areaA + areaB) - intersection));
}

/** IoU of boxes that share nothing: 0, or 0 / 0 when both are empty. */
function disjoint(areas: number): number {
  return areas === 0 || Number.isNaN(areas) ? Number.NaN : 0;
}

/** IoU of every box of `a` with every box of `b`: row-major `[A * B]`. */
export function pairwiseIoU(a: Boxes, b: Boxes): Float32Array {
  const areasA = boxArea(a);
  const areasB = boxArea(b);
  const result = new Float32Array(areasA.length * areasB.length);
  for (let i = 0, k = 0; i < areasA.length; i++) {
    for (let j = 0; j < areasB.length; j++, k++) result[k] = overlap(a, i, areasA[i]!, b, j, areasB[j]!);
  }
  return result;
}

/** The boxes with x cut to [0, width] and y to [0, height]. A new array. */
export function clipBoxes(boxes: Boxes, [height, width]: ImageSize): Boxes {
  countBoxes(boxes, 'clipBoxes');
  return boxes.map((value, i) => min(max(value, 0), i % 2 === 0 ? width : height));
}

/** Indices of the boxes whose sides are both at least `minSize` pixels. */
export function removeSmallBoxes(boxes: Boxes, minSize: number): Int32Array {
  const kept: number[] = [];
  const smallest = fround(minSize); // the sides are float32: compare like with like
  for (let i = 0, p = 0; i < countBoxes(boxes, 'removeSmallBoxes'); i++, p += 4) {
    const width = fround(boxes[p + 2]! - boxes[p]!);
    const height = fround(boxes[p + 3]! - boxes[p + 1]!);
    if (width >= smallest && height >= smallest) kept.push(i);
  }
  return Int32Array.from(kept);
}

/** The boxes at `indices`, in that order. A new array. */
export function takeBoxes(boxes: Boxes, indices: ArrayLike<number>): Boxes {
  const taken = new Float32Array(indices.length * 4);
  for (let i = 0; i < indices.length; i++) {
    const p = indices[i]! * 4;
    for (let c = 0; c < 4; c++) taken[i * 4 + c] = boxes[p + c]!;
  }
  return taken;
}

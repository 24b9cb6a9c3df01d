import { type ImageSize, RcnnError } from '@rcnn/core';
import { type PasteMode, pasteMask } from '@rcnn/masks';
import type { FoundMask, Placement } from './placement.ts';
import { type ResizeAxis, resizeReached, sampleAxis } from './resize.ts';
import { type SoftPart, softPartMask, wholePart } from './soft-mask.ts';
import { narrowed, resizeTwice, type Span, twoSteps } from './two-steps.ts';

/** What {@link boxMask} gives. */
export interface BoxMask extends FoundMask {
  readonly cells: Float32Array;
}

/**
 * A mask inside its box, as mask heads give it.
 * @param cells probabilities, row-major, `[M * M]` (28 x 28 in Mask R-CNN); kept, not copied
 * @param mode how the cells are laid into the box
 */
export function boxMask(cells: Float32Array, mode: PasteMode = 'torchvision'): BoxMask {
  return {
    cells,
    toImage: ({ originalSize }, box, { maskThreshold: threshold = 0.5 } = {}) =>
      pasteMask(cells, box, originalSize, { threshold, mode }),
  };
}

/**
 * A mask over the whole image, from a map of probabilities at any scale, resized in one step: bilinear, half-pixel
 * centers, clamped edges. Nothing is computed until a form is asked for.
 * @param values row-major, `[height * width]`; kept, not copied. Or a function that computes them, called every time
 * @param size `[height, width]` of the map
 * @param covers the part of the batch, from its top left corner, that the map spans, in pixels
 * @throws SHAPE_MISMATCH
 */
export function mapMask(values: Float32Array | (() => Float32Array), size: ImageSize, covers: ImageSize): FoundMask {
  if (typeof values !== 'function') checkMap('mapMask', values, size);
  return {
    toImage: (placement, _box, { maskThreshold: threshold } = {}) => {
      const rows = axisOf(placement, 0, size, covers);
      const columns = axisOf(placement, 1, size, covers);
      const compute = (): SoftPart => {
        return resizeReached(typeof values === 'function' ? values() : values, size, rows, columns);
      };
      return softPartMask(placement.originalSize, compute, { threshold });
    },
  };
}

/**
 * A mask from a map of the whole batch, resized in two steps: to the pixels of the batch, then from the image's part of
 * them to the image. What SOLO's programs do; one step gives other masks.
 * @param values row-major, `[height * width]`; kept, not copied
 * @param size `[height, width]` of the map
 * @param covers the part of the batch, from its top left corner, that the map spans, in pixels
 * @throws SHAPE_MISMATCH
 */
export function batchMask(values: Float32Array, size: ImageSize, covers: ImageSize): FoundMask {
  checkMap('batchMask', values, size);
  return {
    toImage: (placement, _box, { maskThreshold: threshold = 0.5 } = {}) => {
      const { originalSize } = placement;
      const rows = twoSteps(placement, 0, size, covers);
      const columns = twoSteps(placement, 1, size, covers);
      const whole = (): SoftPart => wholePart(resizeTwice(values, size[1], rows, columns), originalSize);
      // Only pixels that look at a cell above the threshold can be above it: a mix of the others is not.
      const near = (): SoftPart => {
        const cells = cellsAbove(values, size[1], threshold);
        const [top, left] = [narrowed(rows, cells[0]), narrowed(columns, cells[1])];
        const part: ImageSize = [top.second.low.length, left.second.low.length];
        return { top: top.start, left: left.start, size: part, values: resizeTwice(values, size[1], top, left) };
      };
      return softPartMask(originalSize, whole, { threshold, near });
    },
  };
}

/** First and last of the rows and of the columns that have a value above a threshold; -1 twice without any. */
function cellsAbove(values: Float32Array, width: number, threshold: number): readonly [rows: Span, columns: Span] {
  let [top, bottom, left, right] = [-1, -1, width, -1];
  for (let at = 0; at < values.length; at++) {
    if (!(values[at]! > threshold)) continue;
    const row = Math.floor(at / width);
    const column = at % width;
    if (top < 0) top = row;
    bottom = row;
    left = Math.min(left, column);
    right = Math.max(right, column);
  }
  return [[top, bottom], [right < 0 ? -1 : left, right]]; // biome-ignore format: two ranges
}

function checkMap(where: string, values: Float32Array, size: ImageSize): void {
  if (values.length === size[0] * size[1]) return;
  throw new RcnnError('SHAPE_MISMATCH', {
    where,
    problem: 'the values do not fill the map',
    found: `${values.length} values`,
    expected: `${size[0]} * ${size[1]}`,
  });
}

/** Which cells of a map lie under the pixels of the original image, along one side. */
function axisOf(
  { originalSize, resizedSize, offset }: Placement,
  side: 0 | 1,
  size: ImageSize,
  covers: ImageSize,
): ResizeAxis {
  const cellsPerPixel = size[side] / covers[side]; // of the batch
  const step = (size[side] * resizedSize[side]) / (covers[side] * originalSize[side]);
  return sampleAxis(size[side], originalSize[side], step, offset[side] * cellsPerPixel);
}

import { type ImageSize, RcnnError } from '@rcnn/core';
import { type PasteMode, pasteMask } from '@rcnn/masks';
import type { FoundMask, Placement } from './placement.ts';
import { type ResizeAxis, resizeReached, sampleAxis } from './resize.ts';
import { type SoftPart, softPartMask } from './soft-mask.ts';

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
  if (typeof values !== 'function' && values.length !== size[0] * size[1]) {
    throw new RcnnError('SHAPE_MISMATCH', {
      where: 'mapMask',
      problem: 'the values do not fill the map',
      found: `${values.length} values`,
      expected: `${size[0]} * ${size[1]}`,
    });
  }
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

import type { Pyramid } from '@rcnn/core';
import * as tf from '@tensorflow/tfjs-core';
import { type PlacedRoIs, withImages } from './placed-rois.ts';
import { placeOnOneMap, roundHalfAway, sizeOf } from './roi-align.ts';

export interface RoIPoolOptions {
  /** Height and width of the result, or one number for both. */
  readonly outputSize: number | readonly [height: number, width: number];
  /** Pixels times this are cells of the map. Default 1. */
  readonly spatialScale?: number;
}

/**
 * RoI pooling: the maximum of each bin, on a grid rounded to whole cells. What RoIAlign replaced; for comparison.
 * An empty bin is 0. The gradient goes to the first largest cell. `[R, h, w, C]`
 * @param rois `[R * 5]`: index of the image, `x1, y1, x2, y2` in pixels
 * @see Girshick 2015, section 2.1 (arXiv:1504.08083)
 * @throws SHAPE_MISMATCH, INVALID_ARGUMENT
 */
export function roiPool(
  features: tf.Tensor4D,
  rois: Float32Array,
  { outputSize, spatialScale = 1 }: RoIPoolOptions,
): tf.Tensor4D {
  const size = sizeOf(outputSize);
  const placed = placeOnOneMap('roiPool', rois, features.shape[0]);
  const shape: [number, number, number, number] = [placed.count, size[0], size[1], features.shape[3]];
  const op = tf.customGrad(() => {
    const values = features.dataSync<'float32'>() as Float32Array;
    const winners = findWinners(values, features.shape, placed, size, Math.fround(spatialScale));
    const gradFunc = (dy: tf.Tensor): tf.Tensor[] => {
      const gradient = new Float32Array(features.size);
      const from = dy.dataSync<'float32'>();
      winners.forEach((winner, i) => {
        if (winner >= 0) gradient[winner]! += from[i]!;
      });
      return [tf.tensor4d(gradient, features.shape)];
    };
    const result = Float32Array.from(winners, (winner) => (winner < 0 ? 0 : values[winner]!));
    return { value: tf.tensor4d(result, shape), gradFunc };
  });
  return op(features) as tf.Tensor4D;
}

export interface RoIPoolLayerOptions extends Pick<RoIPoolOptions, 'outputSize'> {
  /** Pixels between two cells of the map. */
  readonly stride: number;
}

/** {@link roiPool} on the one map of a network without a pyramid, in the place of a `MultiScaleRoIAlign`. */
export class RoIPool {
  readonly #options: RoIPoolOptions;

  constructor({ outputSize, stride }: RoIPoolLayerOptions) {
    this.#options = { outputSize, spatialScale: 1 / stride };
  }

  /**
   * Regions `[R, h, w, C]` of the first map of `features`, those of all images one after the other.
   * @param boxes of each image, `[R * 4]` in pixels
   * @throws SHAPE_MISMATCH, INVALID_ARGUMENT
   */
  forward(features: Pyramid, boxes: readonly Float32Array[]): tf.Tensor4D {
    return roiPool(features[0]!, withImages(boxes), this.#options);
  }
}

/** The element that wins each bin and channel, or -1 for an empty bin. */
function findWinners(
  values: Float32Array,
  [, height, width, channels]: readonly [number, number, number, number],
  rois: PlacedRoIs,
  [rows, columns]: readonly [number, number],
  scale: number,
): Int32Array {
  const winners = new Int32Array(rois.count * rows * columns * channels).fill(-1);
  let to = 0;
  for (let r = 0; r < rois.count; r++) {
    const [x1, y1, x2, y2] = rois.boxes.subarray(r * 4, r * 4 + 4) as unknown as [number, number, number, number];
    const origin = rois.images[r]! * height * width;
    for (let i = 0; i < rows; i++) {
      const [top, bottom] = bin(y1, y2, scale, i, rows, height);
      for (let j = 0; j < columns; j++, to += channels) {
        const [left, right] = bin(x1, x2, scale, j, columns, width);
        for (let y = top; y < bottom; y++) {
          for (let x = left; x < right; x++) {
            const from = (origin + y * width + x) * channels;
            for (let c = 0; c < channels; c++) {
              const winner = winners[to + c]!;
              if (winner < 0 || values[from + c]! > values[winner]!) winners[to + c] = from + c;
            }
          }
        }
      }
    }
  }
  return winners;
}

/** The cells [from, to) of bin `i`: corners rounded half away from zero, the RoI at least one cell long. */
function bin(low: number, high: number, scale: number, i: number, bins: number, extent: number): [number, number] {
  const start = roundHalfAway(Math.fround(low * scale));
  const end = roundHalfAway(Math.fround(high * scale));
  const length = Math.fround(Math.max(end - start + 1, 1) / bins);
  const inside = (cell: number): number => Math.min(Math.max(cell + start, 0), extent);
  return [inside(Math.floor(Math.fround(i * length))), inside(Math.ceil(Math.fround((i + 1) * length)))];
}

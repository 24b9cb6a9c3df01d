import type { ImageSize } from '@rcnn/core';
import { type FoundObjects, mapMask } from '@rcnn/detector';
import { assembleMask, type PrototypeMaps } from './assemble-mask.ts';
import { cropWindow } from './crop.ts';
import { crossClassNms, type FastNmsOptions, fastNms } from './fast-nms.ts';
import { decodeBoxes } from './prior-coder.ts';
import type { Priors } from './priors.ts';

/** What the network says of one image, on the host. */
export interface ImagePredictions {
  /** `[P * numClasses]`, probabilities, background first. */
  readonly scores: Float32Array;
  /** `[P * 4]` */
  readonly deltas: Float32Array;
  /** `[P * k]` */
  readonly coefficients: Float32Array;
  readonly prototypes: PrototypeMaps;
}

export interface SelectOptions extends FastNmsOptions {
  /** A prior is looked at when its best class scores more. */
  readonly priorThreshold: number;
  /** Whether classes compete with each other. */
  readonly crossClass: boolean;
}

export interface Selection {
  readonly objects: FoundObjects;
  /** Of each object: computes its mask, on the map of the prototypes. */
  readonly maps: readonly (() => Float32Array)[];
}

/**
 * The objects of one image: priors of some class, decoded, without those that are covered by better ones.
 * @param size of the batch's images, which boxes are given in, in pixels
 */
export function selectObjects(
  { scores, deltas, coefficients, prototypes }: ImagePredictions,
  priors: Priors,
  size: ImageSize,
  options: SelectOptions,
): Selection {
  const count = priors.length / 4;
  const numClasses = scores.length / count;
  const kept = rowsAbove(scores, numClasses, options.priorThreshold);
  const boxes = decodeBoxes(deltas, priors, kept);
  const nms = options.crossClass ? crossClassNms : fastNms;
  const found = nms(boxes, byClass(scores, numClasses, kept), options);
  const width = coefficients.length / count;
  const maps = Array.from(found.rows, (row) => {
    const own = coefficients.slice(kept[row]! * width, (kept[row]! + 1) * width);
    const window = cropWindow(boxes, row, prototypes.size);
    return (): Float32Array => assembleMask(prototypes, own, window);
  });
  const masks = maps.map((map) => mapMask(map, prototypes.size, size));
  const labels = found.classes.map((ofClass) => ofClass + 1);
  return { objects: { boxes: inPixels(boxes, found.rows, size), scores: found.scores, labels, masks }, maps };
}

/** The priors whose best class, background aside, scores more than a threshold. */
function rowsAbove(scores: Float32Array, numClasses: number, threshold: number): Int32Array {
  const rows: number[] = [];
  for (let row = 0, at = 0; at < scores.length; row++, at += numClasses) {
    for (let c = 1; c < numClasses; c++) {
      if (!(scores[at + c]! > threshold)) continue;
      rows.push(row);
      break;
    }
  }
  return Int32Array.from(rows);
}

/** `[(numClasses - 1) * R]`: class by class, without the background. */
function byClass(scores: Float32Array, numClasses: number, rows: Int32Array): Float32Array {
  const result = new Float32Array((numClasses - 1) * rows.length);
  for (let c = 1, at = 0; c < numClasses; c++) {
    for (const row of rows) result[at++] = scores[row * numClasses + c]!;
  }
  return result;
}

/** Shares of the image as pixels inside of it, corners in order. */
function inPixels(boxes: Float32Array, rows: Int32Array, [height, width]: ImageSize): Float32Array {
  const pixels = new Float32Array(rows.length * 4);
  const within = (share: number, side: number): number => Math.min(Math.max(share * side, 0), side);
  for (const [i, row] of rows.entries()) {
    for (const [c, side] of [width, height].entries()) {
      const a = within(boxes[row * 4 + c]!, side);
      const b = within(boxes[row * 4 + c + 2]!, side);
      pixels[i * 4 + c] = Math.min(a, b);
      pixels[i * 4 + c + 2] = Math.max(a, b);
    }
  }
  return pixels;
}

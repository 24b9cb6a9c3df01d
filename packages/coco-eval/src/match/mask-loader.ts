import { RcnnError } from '@rcnn/core/errors';
import type { Detections, GroundTruth } from '../read/columns.ts';
import type { MaskArena } from '../read/segmentations.ts';
import { shownValue } from '../read/shown.ts';

/** Decodes masks of truth and detections, naming the annotation or detection whose mask cannot be read. */
export class MaskLoader {
  readonly #truth: GroundTruth;
  readonly #detections: Detections;

  constructor(truth: GroundTruth, detections: Detections) {
    this.#truth = truth;
    this.#detections = detections;
  }

  /** Adds the mask of an annotation to the arena. @throws DATASET_INVALID */
  truth(row: number, arena: MaskArena): void {
    const { segmentations, imageSizes, image } = this.#truth;
    if (segmentations?.has(row) !== true) {
      throw badTruth(this.#truth, row, 'segmentation', 'an annotation needs a mask for segm');
    }
    if (!segmentations.hasSize(row)) this.#checkSize(image[row]!);
    try {
      segmentations.load(row, arena, imageSizes[2 * image[row]!]!, imageSizes[2 * image[row]! + 1]!);
    } catch (cause) {
      throw badTruth(this.#truth, row, 'segmentation', 'the mask cannot be read', cause);
    }
  }

  /**
   * Adds the mask of a detection to the arena; without one its box is filled. Gives whether it had one.
   * @throws DETECTION_INVALID, DATASET_INVALID
   */
  detection(row: number, arena: MaskArena): boolean {
    const { segmentations, boxes, image } = this.#detections;
    const height = this.#truth.imageSizes[2 * image[row]!]!;
    const width = this.#truth.imageSizes[2 * image[row]! + 1]!;
    const isMask = segmentations?.has(row) === true;
    if (!isMask && Number.isNaN(boxes[4 * row]!)) {
      throw badDetection(this.#detections, row, 'bbox', 'there is neither a box nor a mask');
    }
    if (!isMask || !segmentations.hasSize(row)) this.#checkSize(image[row]!);
    try {
      if (isMask) segmentations.load(row, arena, height, width);
      else {
        const [x, y, w, h] = boxes.subarray(4 * row) as unknown as [number, number, number, number];
        arena.addBox(x, y, w, h, height, width);
      }
    } catch (cause) {
      throw badDetection(this.#detections, row, 'segmentation', 'the mask cannot be read', cause);
    }
    const last = arena.masks - 1;
    if (height > 0 && (arena.heights[last] !== height || arena.widths[last] !== width)) {
      throw new RcnnError('DETECTION_INVALID', {
        where: this.#detections.where,
        place: `/${indexOf(this.#detections, row)}/segmentation/size`,
        problem: 'the mask has another size than its image',
        found: `[${arena.heights[last]}, ${arena.widths[last]}]`,
        expected: `[${height}, ${width}]`,
      });
    }
    return isMask;
  }

  /** Polygons and boxes become masks of the size of their image: without one they would be empty. */
  #checkSize(image: number): void {
    const { imageSizes, imageIds, where } = this.#truth;
    if (imageSizes[2 * image]! > 0 && imageSizes[2 * image + 1]! > 0) return;
    throw new RcnnError('DATASET_INVALID', {
      where,
      place: '/images',
      problem: 'an image has no width and height, which masks need',
      found: `image ${shownValue(imageIds[image])}`,
      expected: 'whole numbers of pixels',
      hint: 'Write the size of each image into the annotations.',
    });
  }
}

export function badTruth(truth: GroundTruth, row: number, field: string, problem: string, cause?: unknown): RcnnError {
  return new RcnnError('DATASET_INVALID', {
    where: truth.where,
    place: `/annotations/${row}/${field}`,
    problem: cause instanceof Error ? `${problem}: ${cause.message}` : problem,
    found: `annotation ${shownValue(truth.ids[row])}`,
    cause,
  });
}

export function badDetection(
  detections: Detections,
  row: number,
  field: string,
  problem: string,
  cause?: unknown,
): RcnnError {
  return new RcnnError('DETECTION_INVALID', {
    where: detections.where,
    place: `/${indexOf(detections, row)}/${field}`,
    problem: cause instanceof Error ? `${problem}: ${cause.message}` : problem,
    cause,
  });
}

/** Where the row stood in the file. */
function indexOf({ indices }: Detections, row: number): number {
  return indices?.[row] ?? row;
}

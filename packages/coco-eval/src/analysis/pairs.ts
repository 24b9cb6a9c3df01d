import { RcnnError } from '@rcnn/core/errors';
import { type Cell, CellReader } from '../match/cell.ts';
import { axesOf, forEachCell, listCells } from '../match/cells.ts';
import { type IoUType, resolveParams } from '../params.ts';
import type { Detections, GroundTruth } from '../read/columns.ts';
import { type CocoDataset, type CocoResult, detectionsFrom, groundTruthFrom } from '../read/from-json.ts';

export interface AnalysisOptions {
  /** Default `bbox`. Keypoints have no IoU between classes and are refused. */
  readonly iouType?: Exclude<IoUType, 'keypoints'>;
  /** Detections per image that are looked at, best first. Default 100. */
  readonly maxDetections?: number;
}

/** All truths and detections of one image, whatever their classes. Valid until the next image. */
export interface ImagePairs {
  readonly cell: Cell;
  /** Category index of each truth and detection of the cell. */
  readonly truthClasses: readonly number[];
  readonly classes: readonly number[];
}

/** The columns behind either form of input. */
export function columnsOf(
  truth: CocoDataset | GroundTruth,
  detections: readonly CocoResult[] | Detections,
): { truth: GroundTruth; detections: Detections } {
  const columns = 'imageIds' in truth ? truth : groundTruthFrom(truth);
  const found = 'scores' in detections ? detections : detectionsFrom(detections, columns);
  return { truth: columns, detections: found };
}

/** Visits every image with something in it, with the IoU of every pair at or above `least` (others may be 0). */
export function forEachImage(
  { truth, detections }: { truth: GroundTruth; detections: Detections },
  { iouType = 'bbox', maxDetections = 100 }: AnalysisOptions,
  least: number,
  visit: (pairs: ImagePairs) => void,
): void {
  if ((iouType as IoUType) === 'keypoints') {
    throw new RcnnError('INVALID_ARGUMENT', {
      where: 'analysis of errors',
      problem: 'keypoints of different classes cannot be compared',
      expected: 'bbox, segm or boundary',
    });
  }
  const params = resolveParams(iouType, { useCategories: false, maxDetections: [maxDetections] });
  const axes = axesOf(truth, params);
  const reader = new CellReader(truth, detections, params, least);
  forEachCell(
    listCells({ truth, detections, params, axes, from: 0, to: axes.imageIds.length }),
    (image, column, truths, rows) => {
      const cell = reader.read(image, column, truths, rows);
      visit({
        cell,
        truthClasses: Array.from(truths, (row) => truth.category[row]!),
        classes: Array.from(rows.subarray(0, cell.detections), (row) => detections.category[row]!),
      });
    },
  );
}

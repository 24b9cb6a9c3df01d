import type { Example } from '@rcnn/train/loop';
import {
  boxAnnotator,
  type Canvas,
  contourAnnotator,
  drawnDetections,
  drawnTarget,
  drawSheet,
  labelAnnotator,
  maskAnnotator,
  type Panel,
} from '@rcnn/visualize';

const annotators = [maskAnnotator(), contourAnnotator(), boxAnnotator(), labelAnnotator()];

/** A sheet with the truth on the left and what was found on the right, one picture after the other. */
export function drawExamples(
  examples: readonly Example[],
  names: ReadonlyMap<number, string>,
  createCanvas: (width: number, height: number) => HTMLCanvasElement & Canvas,
): HTMLCanvasElement {
  const panels = examples.flatMap(({ image, target, detections }): Panel[] => [
    { image, annotators, objects: drawnTarget(target), title: 'truth' },
    { image, annotators, objects: drawnDetections(detections, 0.5), title: 'found' },
  ]);
  return drawSheet(createCanvas, panels, { columns: 4, panelSide: 220, names });
}

import type { BoxCoder } from '@rcnn/boxes';
import type { SelectionRules } from '@rcnn/roi-heads';
import { ELEMENT } from '../format/model.ts';
import type { OnnxWriter } from '../graph/writer.ts';
import { best, clipBoxes, decodeBoxes, largeEnough, suppress } from './boxes.ts';

/** What the box head said of regions `[R]`. */
export interface RegionOutputs {
  /** `[R, 4]`, in pixels of the batch. */
  readonly regions: string;
  /** `[R, K]`, background first. */
  readonly scores: string;
  /** `[R, K * 4]`, or `[R, 4]` for all classes together. */
  readonly deltas: string;
}

/** Detections `[D]`, best first, boxes in pixels of the batch. */
export interface DetectedRegions {
  readonly boxes: string;
  readonly scores: string;
  readonly labels: string;
}

export interface DetectionRules extends SelectionRules {
  readonly coder: BoxCoder;
  readonly numClasses: number;
  /** One box for all classes. */
  readonly classAgnostic: boolean;
}

/** Dropped in any case: below every threshold. */
const NEVER = -1;

/** The detections of one image, as `selectDetections` chooses them. */
export function selectDetections(
  graph: OnnxWriter,
  { regions, scores, deltas }: RegionOutputs,
  resizedSize: string,
  { coder, numClasses, classAgnostic, scoreThreshold, nmsThreshold, limit, minSize = 1e-2 }: DetectionRules,
): DetectedRegions {
  graph.scope('detections');
  const classes = numClasses - 1; // without the background
  const perClass = classAgnostic ? classAgnosticDeltas(graph, deltas, classes) : foreground(graph, deltas, numClasses);
  const from = graph.node('Unsqueeze', [regions, graph.int64([1])]); // [R, 1, 4]
  const boxes = clipBoxes(graph, decodeBoxes(graph, perClass, from, coder), resizedSize); // [R, K - 1, 4]
  const ofObjects = graph.node('Slice', [scores, graph.int64([1]), graph.int64([numClasses]), graph.int64([1])]);
  const large = largeEnough(graph, boxes, minSize);
  const counted = graph.node('Where', [large, ofObjects, graph.float32([NEVER])]); // [R, K - 1]
  const kept = suppress(
    graph,
    graph.node('Transpose', [boxes], { perm: [1, 0, 2] }),
    graph.node('Unsqueeze', [graph.node('Transpose', [counted], { perm: [1, 0] }), graph.int64([1])]),
    { iouThreshold: nmsThreshold, limit, above: Math.fround(scoreThreshold) },
  );
  const places = inOrder(graph, kept, classes);
  const [found, ranks] = best(graph, graph.node('Gather', [flat(graph, counted, [-1]), places]), limit);
  const chosen = graph.node('Gather', [places, ranks]);
  const label = graph.node('Add', [graph.node('Mod', [chosen, graph.int64([classes])]), graph.int64([1])]);
  return { boxes: graph.node('Gather', [flat(graph, boxes, [-1, 4]), chosen]), scores: found, labels: label };
}

function foreground(graph: OnnxWriter, deltas: string, numClasses: number): string {
  const byClass = graph.node('Reshape', [deltas, graph.int64([-1, numClasses, 4])]);
  const axis = graph.int64([1]);
  return graph.node('Slice', [byClass, graph.int64([1]), graph.int64([numClasses]), axis]);
}

function classAgnosticDeltas(graph: OnnxWriter, deltas: string, classes: number): string {
  return graph.node('Expand', [graph.node('Unsqueeze', [deltas, graph.int64([1])]), graph.int64([1, classes, 1])]);
}

/**
 * What was kept, `[M, 3]` of class, 0 and region, as places in `[R * (K - 1)]`, ascending: so that of equal scores the
 * earlier region goes first, whatever its class.
 */
function inOrder(graph: OnnxWriter, kept: string, classes: number): string {
  const column = (index: number): string =>
    graph.node('Squeeze', [graph.node('Gather', [kept, graph.int64([index])], { axis: 1 }), graph.int64([1])]);
  const places = graph.node('Add', [graph.node('Mul', [column(2), graph.int64([classes])]), column(0)]);
  return graph.nodeOf(2, 'TopK', [places, graph.node('Shape', [places])], { largest: 0 })[0]!;
}

const flat = (graph: OnnxWriter, values: string, shape: readonly number[]): string =>
  graph.node('Reshape', [values, graph.int64(shape)]);

/** Boxes of the batch in pixels of the original image. */
export function toOriginal(graph: OnnxWriter, boxes: string, originalSize: string, resizedSize: string): string {
  const [before, after] = [originalSize, resizedSize].map((size) => {
    return graph.node('Cast', [graph.node('Gather', [size, graph.int64([1, 0, 1, 0])])], { to: ELEMENT.float32 });
  });
  return graph.node('Mul', [boxes, graph.node('Div', [before!, after!])]);
}

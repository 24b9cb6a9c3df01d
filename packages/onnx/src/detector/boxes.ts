import type { BoxCoder } from '@rcnn/boxes';
import { ELEMENT } from '../format/model.ts';
import type { OnnxWriter } from '../graph/writer.ts';

/** The four columns of boxes or deltas `[…, 4]`, each `[…, 1]`. */
export function columns(graph: OnnxWriter, boxes: string): [string, string, string, string] {
  const parts = graph.nodeOf(4, 'Split', [boxes, graph.int64([1, 1, 1, 1])], { axis: -1 });
  return parts as [string, string, string, string];
}

/** Boxes moved by deltas, `[…, 4]`, in the order of steps of `BoxCoder.decodeOne`. Shapes may broadcast. */
export function decodeBoxes(
  graph: OnnxWriter,
  deltas: string,
  boxes: string,
  { weights, maxLogScale }: Pick<BoxCoder, 'weights' | 'maxLogScale'>,
): string {
  const [dx, dy, dw, dh] = columns(graph, deltas);
  const [x1, y1, x2, y2] = columns(graph, boxes);
  const [wx, wy, ww, wh] = weights;
  const x = axis(graph, [x1, x2], [dx, dw], [wx, ww], maxLogScale);
  const y = axis(graph, [y1, y2], [dy, dh], [wy, wh], maxLogScale);
  return graph.node('Concat', [x[0], y[0], x[1], y[1]], { axis: -1 });
}

type Pair<T> = readonly [T, T];

/** One axis: low and high edge, delta of the center and of the logarithm of the side. */
function axis(
  graph: OnnxWriter,
  [low, high]: Pair<string>,
  [shift, growth]: Pair<string>,
  [shiftWeight, growthWeight]: Pair<number>,
  maxLogScale: number,
): Pair<string> {
  const half = graph.float32([0.5]);
  const side = graph.node('Sub', [high, low]);
  const center = graph.node('Add', [low, graph.node('Mul', [half, side])]);
  const moved = graph.node('Mul', [graph.node('Div', [shift, graph.float32([shiftWeight])]), side]);
  const newCenter = graph.node('Add', [moved, center]);
  const logScale = graph.node('Min', [
    graph.node('Div', [growth, graph.float32([growthWeight])]),
    graph.float32([maxLogScale]),
  ]);
  const reach = graph.node('Mul', [half, graph.node('Mul', [graph.node('Exp', [logScale]), side])]);
  return [graph.node('Sub', [newCenter, reach]), graph.node('Add', [newCenter, reach])];
}

/** Boxes cut to `size`, int64 `[height, width]`. */
export function clipBoxes(graph: OnnxWriter, boxes: string, size: string): string {
  const limits = graph.node('Cast', [graph.node('Gather', [size, graph.int64([1, 0, 1, 0])])], { to: ELEMENT.float32 });
  return graph.node('Min', [graph.node('Max', [boxes, graph.float32([0])]), limits]);
}

/** Whether both sides are at least `minSize` pixels: bool `[…]`. */
export function largeEnough(graph: OnnxWriter, boxes: string, minSize: number): string {
  const [x1, y1, x2, y2] = columns(graph, boxes);
  const sides = [graph.node('Sub', [x2, x1]), graph.node('Sub', [y2, y1])];
  const smallest = graph.float32([minSize]);
  const [width, height] = sides.map((side) => graph.node('GreaterOrEqual', [side, smallest]));
  return graph.node('Squeeze', [graph.node('And', [width!, height!]), graph.int64([-1])]);
}

/** Indices `[k]` of the true ones of bool `[n]`. */
export function indicesWhere(graph: OnnxWriter, condition: string): string {
  return graph.node('Squeeze', [graph.node('NonZero', [condition]), graph.int64([0])]);
}

/** Scores and indices of the best `limit` of `[n]`, or of all when there are fewer; equal ones in their order. */
export function best(graph: OnnxWriter, scores: string, limit: number): [scores: string, indices: string] {
  const count = graph.node('Min', [graph.node('Shape', [scores]), graph.int64([limit])]);
  return graph.nodeOf(2, 'TopK', [scores, count]) as [string, string];
}

/** Greedy suppression as `nms` does it, a group of boxes at a time: int64 `[kept, 3]` of group, class 0 and box. */
export function suppress(
  graph: OnnxWriter,
  /** `[groups, n, 4]` */
  boxes: string,
  /** `[groups, 1, n]` */
  scores: string,
  { iouThreshold, limit, above }: { iouThreshold: number; limit: number; above?: number },
): string {
  const inputs = [boxes, scores, graph.int64([limit]), graph.float32([roundedDown(iouThreshold)])];
  if (above !== undefined) inputs.push(graph.float32([above]));
  return graph.node('NonMaxSuppression', inputs);
}

/** The nearest float32 that is not above: an IoU in float32 is above this one exactly if it is above `value`. */
function roundedDown(value: number): number {
  const near = Math.fround(value);
  if (near <= value) return near;
  const bits = new Int32Array(Float32Array.of(near).buffer);
  bits[0]! -= 1; // thresholds are positive, so the float before has the number before
  return new Float32Array(bits.buffer)[0]!;
}

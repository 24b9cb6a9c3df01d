import type { BoxCoder } from '@rcnn/boxes';
import type { AnchorLattice, ProposalRules, RPNGraphOutputs } from '@rcnn/rpn-anchors';
import { ELEMENT } from '../format/model.ts';
import type { OnnxWriter } from '../graph/writer.ts';
import { best, clipBoxes, decodeBoxes, indicesWhere, largeEnough, suppress } from './boxes.ts';
import type { PreparedImage } from './prepare-image.ts';

export interface ProposalSource {
  readonly lattice: AnchorLattice;
  readonly coder: BoxCoder;
  readonly rules: ProposalRules;
}

/** The proposals of one image, best first: `[P, 4]`, in pixels of the batch. As `selectProposals` chooses them. */
export function propose(
  graph: OnnxWriter,
  { logits, deltas }: RPNGraphOutputs,
  { resizedSize, paddedSize }: PreparedImage,
  { lattice, coder, rules }: ProposalSource,
): string {
  const levels = logits.map((map, level) => {
    graph.scope(`proposals/${level}`);
    const [scores, indices] = best(graph, rowsOf(graph, map.name, 1), rules.preNmsTopN);
    const offsets = graph.node('Gather', [rowsOf(graph, deltas[level]!.name, 4), indices]);
    const anchors = anchorsAt(graph, map.name, indices, paddedSize, lattice, level);
    const boxes = clipBoxes(graph, decodeBoxes(graph, offsets, anchors, coder), resizedSize);
    return suppressLevel(graph, boxes, scores, rules);
  });
  graph.scope('proposals');
  const boxes = graph.node(
    'Concat',
    levels.map((level) => level.boxes),
    { axis: 0 },
  );
  const scores = graph.node(
    'Concat',
    levels.map((level) => level.scores),
    { axis: 0 },
  );
  const [, kept] = best(graph, graph.node('Sigmoid', [scores]), rules.postNmsTopN);
  return graph.node('Gather', [boxes, kept]);
}

/** A map `[1, A * width, H, W]` as rows in the order row, column, anchor: `[H * W * A, width]`, or `[H * W * A]` of 1. */
function rowsOf(graph: OnnxWriter, map: string, width: number): string {
  const channelsLast = graph.node('Transpose', [map], { perm: [0, 2, 3, 1] });
  return graph.node('Reshape', [channelsLast, graph.int64(width === 1 ? [-1] : [-1, width])]);
}

/** The anchors at `indices` `[k]` of one level: `[k, 4]`. No others are made. */
function anchorsAt(
  graph: OnnxWriter,
  map: string,
  indices: string,
  paddedSize: string,
  { baseAnchors, steps }: AnchorLattice,
  level: number,
): string {
  const base = baseAnchors[level]!;
  const perCell = graph.int64([base.length / 4]);
  const anchor = graph.node('Mod', [indices, perCell]);
  const cell = graph.node('Div', [indices, perCell]);
  const grid = graph.node('Shape', [map], { start: 2, end: 4 });
  const columnCount = graph.node('Gather', [grid, graph.int64([1])]);
  const row = graph.node('Unsqueeze', [graph.node('Div', [cell, columnCount]), graph.int64([1])]);
  const column = graph.node('Unsqueeze', [graph.node('Mod', [cell, columnCount]), graph.int64([1])]);
  const step =
    steps === 'padded / grid' ? graph.node('Div', [paddedSize, grid]) : graph.int64([steps[level]!, steps[level]!]);
  const perAxis = graph.node('Gather', [step, graph.int64([1, 0, 1, 0])]);
  const places = graph.node('Concat', [column, row, column, row], { axis: 1 });
  const shift = graph.node('Cast', [graph.node('Mul', [places, perAxis])], { to: ELEMENT.float32 });
  return graph.node('Add', [graph.node('Gather', [graph.float32(base, [base.length / 4, 4]), anchor]), shift]);
}

/** What stays of one level: boxes and their logits. */
function suppressLevel(
  graph: OnnxWriter,
  boxes: string,
  logits: string,
  { minSize, scoreThreshold, nmsThreshold, postNmsTopN }: ProposalRules,
): { boxes: string; scores: string } {
  const large = largeEnough(graph, boxes, minSize);
  const enough = graph.node('GreaterOrEqual', [graph.node('Sigmoid', [logits]), graph.float32([scoreThreshold])]);
  const candidates = indicesWhere(graph, graph.node('And', [large, enough]));
  const candidateBoxes = graph.node('Gather', [boxes, candidates]);
  const candidateScores = graph.node('Gather', [logits, candidates]);
  const kept = suppress(
    graph,
    graph.node('Unsqueeze', [candidateBoxes, graph.int64([0])]),
    graph.node('Unsqueeze', [candidateScores, graph.int64([0, 1])]),
    { iouThreshold: nmsThreshold, limit: postNmsTopN },
  );
  const indices = graph.node('Squeeze', [
    graph.node('Gather', [kept, graph.int64([2])], { axis: 1 }),
    graph.int64([1]),
  ]);
  return {
    boxes: graph.node('Gather', [candidateBoxes, indices]),
    scores: graph.node('Gather', [candidateScores, indices]),
  };
}

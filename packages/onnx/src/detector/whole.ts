import type { OnnxLayers } from '../graph/layers.ts';
import type { OnnxWriter } from '../graph/writer.ts';
import { alignRegions } from './align.ts';
import { selectDetections, toOriginal } from './detect.ts';
import type { WritableParts } from './parts.ts';
import { prepareImage } from './prepare-image.ts';
import { propose } from './propose.ts';

/** Everything in one graph: pixels in, detections out. */
export function writeWhole(graph: OnnxWriter, layers: OnnxLayers, parts: WritableParts): void {
  const { backbone, rpn, box, mask } = parts;
  const image = graph.input({
    name: 'image',
    type: 'float32',
    shape: [3, 'height', 'width'],
    about: 'RGB in [0, 1], any size',
  });
  const prepared = prepareImage(graph, image, parts.input);
  graph.scope('backbone');
  const maps = backbone.toGraph(layers, { name: prepared.batch });
  graph.scope('rpn');
  const outputs = rpn.head.toGraph(layers, maps);
  const regions = propose(graph, outputs, prepared, rpn);

  graph.scope('box');
  const aligned = alignRegions(graph, regions, maps, box.pool);
  const { logits, deltas } = box.predictor.toGraph(layers, box.head.toGraph(layers, { name: aligned.pooled }));
  const scores = aligned.restore(graph.node('Softmax', [logits.name], { axis: 1 }));
  const found = selectDetections(
    graph,
    { regions, scores, deltas: aligned.restore(deltas.name) },
    prepared.resizedSize,
    box.rules,
  );
  const boxes = toOriginal(graph, found.boxes, prepared.originalSize, prepared.resizedSize);
  const rows = 'detections';
  graph.output(boxes, {
    name: 'boxes',
    type: 'float32',
    shape: [rows, 4],
    about: 'x1, y1, x2, y2 in pixels of the image',
  });
  graph.output(found.labels, {
    name: 'labels',
    type: 'int64',
    shape: [rows],
    about: '0 is background and never found',
  });
  graph.output(found.scores, { name: 'scores', type: 'float32', shape: [rows], about: 'best first' });
  if (mask === undefined) return;

  graph.scope('mask');
  const cut = alignRegions(graph, found.boxes, maps, mask.pool);
  const ofCut = { name: graph.node('Gather', [found.labels, cut.order]) };
  const maskLogits = mask.predictor.toGraph(layers, mask.head.toGraph(layers, { name: cut.pooled }), ofCut);
  const probabilities = cut.restore(graph.node('Sigmoid', [maskLogits.name]));
  const [height, width] = mask.pool.outputSize;
  graph.output(graph.node('Unsqueeze', [probabilities, graph.int64([1])]), {
    name: 'masks',
    type: 'float32',
    shape: [rows, 1, 2 * height, 2 * width],
    about: 'probability of each cell of the box',
  });
}

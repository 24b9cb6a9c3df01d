import type { OnnxLayers } from '../graph/layers.ts';
import type { OnnxWriter } from '../graph/writer.ts';
import type { WritableParts } from './parts.ts';

/** The part that is run once an image, or a batch of them: normalized and padded pixels to pyramid and RPN outputs. */
export function writeImagePart(graph: OnnxWriter, layers: OnnxLayers, { backbone, rpn }: WritableParts): void {
  const image = graph.input({
    name: 'image',
    type: 'float32',
    shape: ['batch', 3, 'height', 'width'],
    about: 'normalized and padded',
  });
  graph.scope('backbone');
  const maps = backbone.toGraph(layers, { name: image });
  graph.scope('rpn');
  const { logits, deltas } = rpn.head.toGraph(layers, maps);
  for (const [level, { stride, channels }] of backbone.outputs.entries()) {
    const name = `p${Math.log2(stride)}`;
    const port = (suffix: string, width: number) =>
      ({
        name: `${name}${suffix}`,
        type: 'float32',
        shape: ['batch', width, `height_${name}`, `width_${name}`],
      }) as const;
    const anchors = rpn.lattice.baseAnchors[level]!.length / 4;
    graph.output(maps[level]!.name, port('', channels));
    graph.output(logits[level]!.name, port('_logits', anchors));
    graph.output(deltas[level]!.name, port('_deltas', anchors * 4));
  }
}

/** The part that is run on all regions together: pooled regions to class probabilities and box deltas. */
export function writeBoxPart(graph: OnnxWriter, layers: OnnxLayers, { backbone, box }: WritableParts): void {
  const regions = graph.input({
    name: 'regions',
    type: 'float32',
    shape: ['regions', backbone.outputs[0]!.channels, ...box.pool.outputSize],
  });
  graph.scope('box');
  const { logits, deltas } = box.predictor.toGraph(layers, box.head.toGraph(layers, { name: regions }));
  const { numClasses, classAgnostic } = box.rules;
  graph.output(graph.node('Softmax', [logits.name], { axis: 1 }), {
    name: 'scores',
    type: 'float32',
    shape: ['regions', numClasses],
    about: 'background first',
  });
  graph.output(deltas.name, {
    name: 'deltas',
    type: 'float32',
    shape: ['regions', classAgnostic ? 4 : numClasses * 4],
  });
}

/** The part that is run on the detections: pooled regions and their labels to masks. */
export function writeMaskPart(
  graph: OnnxWriter,
  layers: OnnxLayers,
  { backbone }: WritableParts,
  { pool, head, predictor }: NonNullable<WritableParts['mask']>,
): void {
  const [height, width] = pool.outputSize;
  const regions = graph.input({
    name: 'regions',
    type: 'float32',
    shape: ['regions', backbone.outputs[0]!.channels, height, width],
  });
  const labels = graph.input({ name: 'labels', type: 'int64', shape: ['regions'] });
  graph.scope('mask');
  const logits = predictor.toGraph(layers, head.toGraph(layers, { name: regions }), { name: labels });
  const masks = graph.node('Unsqueeze', [graph.node('Sigmoid', [logits.name]), graph.int64([1])]);
  graph.output(masks, { name: 'masks', type: 'float32', shape: ['regions', 1, 2 * height, 2 * width] });
}

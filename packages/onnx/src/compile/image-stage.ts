import type { HostMap } from '@rcnn/roi-align';
import type { HostRPNOutputs } from '@rcnn/rpn-anchors';
import type { OnnxLayers } from '../graph/layers.ts';
import type { OnnxWriter } from '../graph/writer.ts';
import { toChannelsFirst, toChannelsLast } from './channels.ts';
import { floatsOf, type GraphSet } from './graph-set.ts';
import type { CompilableParts } from './parts.ts';

/** What one run over a batch of images gives. */
export interface ImageAnswers {
  /** The levels that regions are read from, finest first. */
  readonly maps: readonly HostMap[];
  readonly rpn: HostRPNOutputs;
}

/** @param pixels `[N * H * W * 3]`, normalized and padded */
export type AskImages = (pixels: Float32Array, size: readonly [number, number, number]) => Promise<ImageAnswers>;

/**
 * The first stage as one graph: images to pyramid and RPN outputs.
 * @param levels how many of the pyramid regions are read from
 */
export function planImageStage(graphs: GraphSet, parts: CompilableParts, levels: number): AskImages {
  const all = parts.backbone.outputs.map((_, level) => level);
  const read = all.slice(0, levels);
  const outputs = [
    ...read.map((level) => `map${level}`),
    ...all.map((level) => `logits${level}`),
    ...all.map((level) => `deltas${level}`),
  ];
  const ask = graphs.plan('image', {
    outputs,
    write: (graph, layers) => writeImageStage(graph, layers, parts, read),
  });
  return async (data, [images, height, width]) => {
    const found = await ask({ image: { data, dims: [images, height, width, 3] } });
    const logits = found.slice(read.length, read.length + all.length);
    return {
      maps: found.slice(0, read.length).map((map) => ({ data: floatsOf(map), shape: map.dims as HostMap['shape'] })),
      rpn: {
        grids: logits.map(({ dims }) => [dims[1]!, dims[2]!]),
        logits: logits.map(floatsOf),
        deltas: found.slice(read.length + all.length).map(floatsOf),
      },
    };
  };
}

function writeImageStage(
  graph: OnnxWriter,
  layers: OnnxLayers,
  { backbone, proposalHead }: CompilableParts,
  read: readonly number[],
): void {
  const image = graph.input({ name: 'image', type: 'float32', shape: ['images', 'height', 'width', 3] });
  graph.scope('backbone');
  const maps = backbone.toGraph(layers, { name: toChannelsFirst(graph, image) });
  graph.scope('rpn');
  const { logits, deltas } = proposalHead.toGraph(layers, maps);
  const give = (kind: string, level: number, value: string): void => {
    const sides = [`height${level}`, `width${level}`];
    const shape = ['images', ...sides, `${kind}_channels${level}`];
    graph.output(toChannelsLast(graph, value), { name: `${kind}${level}`, type: 'float32', shape });
  };
  for (const level of read) give('map', level, maps[level]!.name);
  for (const [level, value] of logits.entries()) give('logits', level, value.name);
  for (const [level, value] of deltas.entries()) give('deltas', level, value.name);
}

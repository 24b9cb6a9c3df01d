import type { Detector, Parameter } from '@rcnn/core';
import { OnnxLayers } from '../graph/layers.ts';
import type { Precision } from '../graph/precision.ts';
import { type GraphTexts, OnnxWriter } from '../graph/writer.ts';

/** Says what a graph holds. */
export type WriteGraph = (graph: OnnxWriter, layers: OnnxLayers) => void;

const OPSET = 17;

const TEXTS: GraphTexts = { name: 'compiled', about: '', producer: 'mask-rcnn', metadata: {} };

/**
 * Writes graphs of a model as it is now: all of them before anything is awaited, so that none has weights of a later
 * step of training than the others. `use` gets the bytes of each in turn.
 */
export async function writeGraphs(
  model: Detector,
  graphs: Readonly<Record<string, WriteGraph>>,
  weights: Precision,
  use: (name: string, bytes: Uint8Array) => Promise<void>,
): Promise<void> {
  const names = new Map<Parameter, string>();
  for (const [name, parameter] of model.namedParameters()) names.set(parameter, name);
  const writers = new Map<string, OnnxWriter>();
  try {
    for (const [name, write] of Object.entries(graphs)) {
      const graph = new OnnxWriter(OPSET, weights, names);
      writers.set(name, graph);
      write(graph, new OnnxLayers(graph));
    }
    for (const [name, graph] of writers) {
      // A model that learnt nonsense says the same as without being compiled.
      await use(name, await graph.finish(TEXTS, { checked: false }));
      graph.dispose();
    }
  } finally {
    for (const graph of writers.values()) graph.dispose();
  }
}

import * as tf from '@tensorflow/tfjs-core';
import { withoutGradients } from '../autograd/engine-internals.ts';
import { RcnnError } from '../errors.ts';
import type { GraphBuilder, GraphValue, ToGraph } from '../graph.ts';
import { type Layer, trainableParameters } from '../module.ts';
import type { Phase, Pyramid } from '../types.ts';

/** One of a backbone's layers, which run one after another. */
export interface BackboneStep<L extends Layer = Layer> {
  readonly layer: L;
  /** Whether its map is handed out. */
  readonly isOutput: boolean;
}

/**
 * Maps `[N, H, W, 3]` through all steps to the maps that are handed out, in the order of the steps. The caller owns them.
 * @param where names the backbone when it refuses
 * @throws SHAPE_MISMATCH for images that are no batch of RGB
 */
export function forwardThrough(
  where: string,
  steps: readonly BackboneStep[],
  images: tf.Tensor4D,
  phase: Phase,
): Pyramid {
  if (images.shape[3] !== 3) {
    throw new RcnnError('SHAPE_MISMATCH', {
      where,
      problem: 'not a batch of RGB images',
      found: `[${images.shape.join(',')}]`,
      expected: '[N, H, W, 3]',
    });
  }
  // Nothing before the first step that learns goes on a tape: no gradient will ever pass there.
  const learns = steps.findIndex(({ layer }) => trainableParameters(layer).size > 0);
  return tf.tidy(() => {
    const maps: tf.Tensor4D[] = [];
    let x = images;
    for (const [i, { layer, isOutput }] of steps.entries()) {
      const step = (): tf.Tensor4D => layer.forward(x, phase);
      const y = learns < 0 || i < learns ? withoutGradients(step) : step();
      if (x !== images && x !== maps.at(-1)) x.dispose(); // a tape keeps what it needs by itself
      if (isOutput) maps.push(y);
      x = y;
    }
    return maps;
  });
}

/** The same for a graph: the maps that are handed out, in the order of the steps. */
export function graphThrough(
  steps: readonly BackboneStep<Layer & ToGraph>[],
  graph: GraphBuilder,
  image: GraphValue,
): GraphValue[] {
  const maps: GraphValue[] = [];
  let x = image;
  for (const { layer, isOutput } of steps) {
    x = layer.toGraph(graph, x);
    if (isOutput) maps.push(x);
  }
  return maps;
}

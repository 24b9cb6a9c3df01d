import * as tf from '@tensorflow/tfjs-core';
import { engineInternals, type TapeNode } from './engine-internals.ts';

/**
 * Walks a tape backwards from a scalar. Same order of operations as `tf.variableGrads`, so the same bits; but what a
 * node saved, and gradients that have been passed on, are freed as soon as they are used, not at the end.
 *
 * @returns one gradient per source, in order; undefined where `y` does not depend on it. The caller owns them.
 */
export function backward(
  tape: readonly TapeNode[],
  y: tf.Tensor,
  sources: readonly tf.Tensor[],
): (tf.Tensor | undefined)[] {
  const engine = engineInternals();
  const dependent = dependents(tape, sources);
  const gradients = new Map<number, tf.Tensor>([[y.id, tf.keep(tf.onesLike(y))]]);
  const wanted = new Set(sources.map((source) => source.id));
  try {
    for (let i = tape.length - 1; i >= 0; i--) {
      const node = tape[i]!;
      if (node.outputs.some((output) => gradients.has(output.id) && dependent.has(output.id))) {
        engine.startScope('backward');
        try {
          passOn(node, gradients, dependent);
        } finally {
          engine.endScope();
        }
      }
      for (const output of node.outputs) {
        if (wanted.has(output.id)) continue;
        gradients.get(output.id)?.dispose();
        gradients.delete(output.id);
      }
      for (const tensor of node.saved) tensor.dispose();
    }
    return sources.map((source) => {
      const gradient = gradients.get(source.id);
      gradients.delete(source.id);
      return gradient;
    });
  } finally {
    for (const gradient of gradients.values()) gradient.dispose();
  }
}

/** Adds the gradients of one node's inputs to the map; every tensor in the map is kept. */
function passOn(node: TapeNode, gradients: Map<number, tf.Tensor>, dependent: ReadonlySet<number>): void {
  if (node.gradient === undefined) {
    throw new Error(`Cannot compute gradient: gradient function not found for ${node.kernelName}.`);
  }
  const thunks = node.gradient(node.outputs.map((output) => gradients.get(output.id) ?? null));
  for (const [name, input] of Object.entries(node.inputs)) {
    if (!dependent.has(input.id)) continue;
    const thunk = thunks[name];
    if (thunk === undefined) throw new Error(`Cannot backprop through input ${name} of ${node.kernelName}.`);
    const gradient = tf.tidy(thunk);
    if (gradient.dtype !== 'float32' || gradient.shape.join() !== input.shape.join()) {
      throw new Error(
        `The gradient of input ${name} of ${node.kernelName} is ${gradient.dtype} [${gradient.shape.join()}], ` +
          `expected float32 [${input.shape.join()}]`,
      );
    }
    const before = gradients.get(input.id);
    if (before === undefined) {
      // A thunk may hand back `dy` itself, or what another one handed back: a clone lets each be freed alone.
      gradients.set(input.id, tf.keep(gradient.kept ? tf.clone(gradient) : gradient));
    } else {
      gradients.set(input.id, tf.keep(tf.add(before, gradient)));
      before.dispose();
    }
  }
}

/** Ids of every tensor that is a source or was computed from one. */
function dependents(tape: readonly TapeNode[], sources: readonly tf.Tensor[]): Set<number> {
  const ids = new Set(sources.map((source) => source.id));
  for (const node of tape) {
    if (Object.values(node.inputs).some((input) => ids.has(input.id))) {
      for (const output of node.outputs) ids.add(output.id);
    }
  }
  return ids;
}

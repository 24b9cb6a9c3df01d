import * as tf from '@tensorflow/tfjs-core';
import { RcnnError } from '../errors.ts';
import type { Parameter } from '../parameter.ts';
import { backward } from './backward.ts';
import { engineInternals } from './engine-internals.ts';

/** What {@link valueAndGradients} gives. The caller disposes `loss` and every gradient. */
export interface ValueAndGradients<Extra> {
  readonly loss: tf.Scalar;
  /** Gradient of each parameter that the loss depends on, by name. */
  readonly gradients: Map<string, tf.Tensor>;
  /** Whatever else the forward pass returned. Tensors among it are kept and belong to the caller. */
  readonly extra: Extra;
}

let recording = false;

/**
 * Gradients of an asynchronous loss: like `tf.variableGrads`, but the forward pass may await, as a detector must when
 * it reads its proposals back from the device. The numbers are those of `tf.variableGrads`, bit for bit.
 *
 * Everything made inside is disposed when it returns, also when it throws. One tape records at a time, and other work
 * with tensors must wait until it is done: tfjs has one engine.
 *
 * @param forward computes the scalar loss; `extra` may hold tensors to keep (each loss by its name, say)
 * @param parameters the parameters to differentiate by, by name
 * @throws INVALID_ARGUMENT when a tape is being recorded already, or the loss is not a scalar
 */
export async function valueAndGradients<Extra extends tf.TensorContainer = undefined>(
  forward: () => Promise<{ loss: tf.Tensor; extra?: Extra }> | { loss: tf.Tensor; extra?: Extra },
  parameters: ReadonlyMap<string, Parameter>,
): Promise<ValueAndGradients<Extra>> {
  if (recording) {
    throw new RcnnError('INVALID_ARGUMENT', {
      where: 'valueAndGradients',
      problem: 'another tape is being recorded',
      hint: 'Await the previous step before starting the next one.',
    });
  }
  recording = true;
  const engine = engineInternals();
  const depth = engine.state.scopeStack.length;
  engine.startScope('valueAndGradients');
  engine.startTape();
  let result: { loss: tf.Tensor; extra?: Extra } | undefined;
  let gradients: (tf.Tensor | undefined)[] = [];
  const kept: tf.Tensor[] = [];
  const names = [...parameters.keys()];
  try {
    result = await forward();
    engine.endTape();
    if (result.loss.size !== 1) {
      throw new RcnnError('INVALID_ARGUMENT', {
        where: 'valueAndGradients',
        problem: 'the loss must be a scalar',
        found: `shape [${result.loss.shape.join(',')}]`,
      });
    }
    const tape = engine.state.activeTape ?? [];
    gradients = backward(
      tape,
      result.loss,
      names.map((name) => parameters.get(name)!.variable),
    );
    kept.push(...tensorsIn(result));
    for (const tensor of kept) tf.keep(tensor);
  } catch (error) {
    for (const gradient of gradients) gradient?.dispose();
    throw error;
  } finally {
    // Whatever happened: no node keeps memory, no scope stays open, the next step starts clean.
    if (engine.state.gradientDepth > 0) engine.state.gradientDepth = 0;
    for (const node of engine.state.activeTape ?? []) for (const tensor of node.saved) tensor.dispose();
    engine.state.activeTape = null;
    while (engine.state.scopeStack.length > depth) engine.endScope();
    recording = false;
  }
  return {
    loss: result.loss as tf.Scalar,
    gradients: new Map(
      names.flatMap((name, i) => {
        const gradient = gradients[i];
        return gradient === undefined ? [] : [[name, gradient] as const];
      }),
    ),
    extra: result.extra as Extra,
  };
}

function tensorsIn(value: unknown): tf.Tensor[] {
  if (value instanceof tf.Tensor) return [value];
  if (value instanceof Map) return [...value.values()].flatMap(tensorsIn);
  if (Array.isArray(value)) return value.flatMap(tensorsIn);
  if (value !== null && typeof value === 'object' && Object.getPrototypeOf(value) === Object.prototype) {
    return Object.values(value).flatMap(tensorsIn);
  }
  return [];
}

// One of the ranks of shared-norms.test.ts, in a thread of its own.
import { SharedNorms } from '@rcnn/distributed';
import { asThread } from '@rcnn/distributed/node';
import * as tf from '@tensorflow/tfjs-core';
import { ready } from './engine.ts';
import { EMPTY, joined, steps } from './norm-steps.ts';
import { NormedModel } from './normed-model.ts';

await ready;
await asThread(async (group) => {
  const { rank } = group;
  const made = (): { model: NormedModel; norms: SharedNorms } => {
    const norms = new SharedNorms(group);
    return { model: new NormedModel(norms.make), norms };
  };
  /** How a step ends when something is odd on rank 1. */
  const odd = async (change: (model: NormedModel) => void): Promise<unknown> => {
    const { model, norms } = made();
    const before = [...model.namedParameters().values()].map(({ value }) => value.dataSync().join());
    if (rank === 1) change(model);
    try {
      return await steps(group, { model, norms }, [{ batches: [joined(rank)] }]);
    } catch (error) {
      const { code, message } = error as Error & { code?: string };
      const after = [...model.namedParameters().values()].map(({ value }) => value.dataSync().join());
      return { code, message, changed: after.join() !== before.join() };
    } finally {
      model.dispose();
    }
  };
  const four = made();
  const shares = [0, 1, 2, 3].map((step) => ({ batches: [joined(2 * step + rank)] }));
  const answers = {
    together: await steps(group, four, shares),
    someEmpty: await steps(group, made(), [{ batches: rank === 0 ? [EMPTY, joined(0)] : [joined(1), joined(2)] }]),
    lastLeftOut: await odd((model) => void (model.layers = [0, 1])),
    fails: await odd((model) => void (model.error = new RangeError('spoilt'))),
    cannotBegin: await steps(group, made(), [
      { batches: [joined(0)], ...(rank === 1 && { error: new Error('none') }) },
    ]).catch(({ message }: Error) => message),
    firstLeftOut: await odd((model) => void (model.layers = [1, 2])),
  };
  const before = tf.memory().numTensors;
  await steps(group, four, shares.slice(0, 1));
  return { ...answers, gained: tf.memory().numTensors - before };
});

import { hostValues, type ParameterOwner } from '@rcnn/core';
import { broadcastValue, gather, type ProcessGroup } from '@rcnn/distributed';
import type { Optimizer, WeightAverage } from '@rcnn/optim';
import * as tf from '@tensorflow/tfjs-core';
import type { Listener } from './events.ts';

/** What is the same on all ranks after every step. */
export interface SharedState {
  readonly model: ParameterOwner;
  readonly optimizer: Optimizer;
  readonly average?: WeightAverage | undefined;
}

/**
 * Gives the state of rank 0 to all: weights, optimizer and average.
 * @param note of rank 0, for all; it goes as JSON
 */
export async function shareState<T>(group: ProcessGroup, state: SharedState, note: T): Promise<T> {
  if (group.size === 1) return note;
  const kept = [state.optimizer, ...(state.average === undefined ? [] : [state.average])];
  const described = kept.map((part) => ({
    counters: part.counters(),
    tensors: [...part.tensors()].map(([name, { shape }]) => ({ name, shape })),
  }));
  const told = await broadcastValue(group, { note, described });
  const parameters = [...state.model.namedParameters().values()];
  const weights = await group.broadcast(parameters.map(({ value }) => value));
  for (const [i, parameter] of parameters.entries()) parameter.assign(weights[i]!);
  tf.dispose(weights);
  for (const [i, { counters, tensors }] of told.described.entries()) {
    const part = kept[i]!;
    const own = part.tensors();
    // Where nothing was updated yet there is nothing but the shape to bring.
    const brought = tensors.map(({ name, shape }) => {
      const tensor = own.get(name);
      return tensor === undefined ? tf.zeros(shape) : tf.clone(tensor);
    });
    const received = await group.broadcast(brought);
    part.restore(new Map(tensors.map(({ name }, k) => [name, received[k]!])), counters);
    tf.dispose([brought, received]);
  }
  return told.note;
}

/**
 * Compares the states of all ranks by checksums, and gives all that of rank 0 where they differ: processors of different
 * kinds round differently in the last bit, and weights would drift apart without a word.
 */
export async function keepAlike(group: ProcessGroup, state: SharedState, onEvent?: Listener): Promise<void> {
  if (group.size === 1) return;
  const sums = await gather(group, checksum(state));
  const others = sums.flatMap((sum, rank) => (sum.join() === sums[0]!.join() ? [] : [rank]));
  if (others.length === 0) return;
  const text = `The weights of rank ${others.join(', ')} had drifted from those of rank 0, which all have now: other processors?`;
  onEvent?.({ kind: 'warning', text });
  await shareState(group, state, null);
}

/** Four numbers of 16 bits over all bits of a state (FNV-1a over words, and the same with their order mixed in). */
function checksum({ model, optimizer, average }: SharedState): number[] {
  let plain = 0x811c9dc5;
  let mixed = 0x9e3779b9;
  const parameters = [...model.namedParameters().values()].map(({ value }) => value);
  const kept = [...optimizer.tensors().values(), ...(average?.tensors().values() ?? [])];
  for (const tensor of [...parameters, ...kept]) {
    const { buffer, byteOffset, length } = hostValues(tensor);
    for (const word of new Uint32Array(buffer, byteOffset, length)) {
      plain = Math.imul(plain ^ word, 0x01000193);
      mixed = Math.imul(mixed ^ (word + plain), 0x85ebca6b);
    }
  }
  return [plain & 0xffff, plain >>> 16, mixed & 0xffff, mixed >>> 16];
}

import { RcnnError } from '@rcnn/core/errors';
import * as tf from '@tensorflow/tfjs-core';
import type { Attribute, NativeBackend } from './binding.ts';

/** What every collective says of itself. */
export interface Meeting {
  readonly size: number;
  /** The same on all ranks, and another for each meeting. */
  readonly instance: number;
  /** Seconds. */
  readonly timeout: number;
}

/** All ranks always: one group, of this key. */
const GROUP = 1;

/** The mean of a tensor over all ranks. */
export function reduceMean(backend: NativeBackend, tensor: tf.Tensor, meeting: Meeting): Promise<tf.Tensor> {
  return run(backend, 'CollectiveReduceV2', { before: [tensor], meeting }, meanAttributes(backend, tensor));
}

/** The same while JavaScript stands still. @param tasks of the other ranks, which are looked after meanwhile */
export function reduceMeanSync(
  backend: NativeBackend,
  tensor: tf.Tensor,
  meeting: Meeting,
  tasks: readonly string[],
): tf.Tensor {
  const { binding } = backend;
  if (binding.executeOpWatched === undefined) {
    throw new RcnnError('ENGINE_MISSING', {
      where: 'allReduceMeanSync',
      problem: 'TensorFlow was set up by an earlier version, which could not wait in the middle of a step',
      hint: 'Run again: npx mask-rcnn setup tensorflow.',
    });
  }
  const keys = keysOf(meeting);
  try {
    const attributes = [...meanAttributes(backend, tensor), ...meetingAttributes(backend, meeting)];
    const inputs = backend.getInputTensorIds([tensor, ...keys]);
    const [output] = binding.executeOpWatched('CollectiveReduceV2', attributes, inputs, 1, tasks);
    return backend.createOutputTensor(output!);
  } finally {
    tf.dispose(keys);
  }
}

function meanAttributes(backend: NativeBackend, tensor: tf.Tensor): readonly Attribute[] {
  const { binding } = backend;
  const text = (name: string, value: string): Attribute => ({ name, type: binding.TF_ATTR_STRING, value });
  return [
    typeOf(backend, 'T', tensor.dtype),
    text('merge_op', 'Add'),
    text('final_op', 'Div'),
    { name: 'is_stateless', type: binding.TF_ATTR_BOOL, value: false },
    { name: 'Nordering_token', type: binding.TF_ATTR_INT, value: 0 },
    { name: 'max_subdivs_per_device', type: binding.TF_ATTR_INT, value: -1 },
  ];
}

/** Gives a tensor to all ranks. */
export function send(backend: NativeBackend, tensor: tf.Tensor, meeting: Meeting): Promise<tf.Tensor> {
  return run(backend, 'CollectiveBcastSendV2', { before: [tensor], meeting }, [typeOf(backend, 'T', tensor.dtype)]);
}

/** The tensor that another rank sends, of the shape and type of `like`. */
export async function receive(backend: NativeBackend, like: tf.Tensor, meeting: Meeting): Promise<tf.Tensor> {
  const shape = tf.tensor1d([...like.shape], 'int32');
  try {
    return await run(backend, 'CollectiveBcastRecvV2', { after: [shape], meeting }, [
      typeOf(backend, 'T', like.dtype),
      typeOf(backend, 'Tshape', 'int32'),
    ]);
  } finally {
    shape.dispose();
  }
}

function typeOf(backend: NativeBackend, name: string, dtype: string): Attribute {
  return { name, type: backend.binding.TF_ATTR_TYPE, value: backend.getDTypeInteger(dtype) };
}

interface Inputs {
  /** Before the keys, and after them. */
  readonly before?: readonly tf.Tensor[];
  readonly after?: readonly tf.Tensor[];
  readonly meeting: Meeting;
}

async function run(
  backend: NativeBackend,
  op: string,
  { before = [], after = [], meeting }: Inputs,
  attributes: readonly Attribute[],
): Promise<tf.Tensor> {
  const { binding } = backend;
  const keys = keysOf(meeting);
  try {
    const all = [...attributes, ...meetingAttributes(backend, meeting)];
    // The op keeps its inputs by references of its own.
    const running = binding.executeOpAsync(op, all, backend.getInputTensorIds([...before, ...keys, ...after]), 1);
    const [output] = await running;
    return backend.createOutputTensor(output!);
  } finally {
    tf.dispose(keys);
  }
}

function keysOf({ size, instance }: Meeting): tf.Scalar[] {
  return [size, GROUP, instance].map((key) => tf.scalar(key, 'int32'));
}

function meetingAttributes({ binding }: NativeBackend, { timeout }: Meeting): readonly Attribute[] {
  return [
    { name: 'communication_hint', type: binding.TF_ATTR_STRING, value: 'auto' },
    { name: 'timeout_seconds', type: binding.TF_ATTR_FLOAT, value: timeout },
  ];
}

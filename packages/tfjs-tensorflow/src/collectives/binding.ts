import { RcnnError } from '@rcnn/core/errors';
import * as tf from '@tensorflow/tfjs-core';

/** A tensor as the binding knows it. */
export interface NativeTensor {
  readonly id: number;
  readonly shape: number[];
  readonly dtype: number;
}

/** An attribute of an op. */
export interface Attribute {
  readonly name: string;
  /** One of the binding's `TF_ATTR_…`. */
  readonly type: number;
  readonly value: number | string | boolean;
}

/** What `binding/collectives.cc` adds to the binding of tfjs-node, and what of it is used here. */
export interface CollectiveBinding {
  readonly TF_ATTR_TYPE: number;
  readonly TF_ATTR_INT: number;
  readonly TF_ATTR_FLOAT: number;
  readonly TF_ATTR_STRING: number;
  readonly TF_ATTR_BOOL: number;
  readonly TF_INT32: number;
  enableCollectives(serverDef: Uint8Array): Promise<string>;
  executeOpAsync(
    name: string,
    attributes: readonly Attribute[],
    inputs: readonly number[],
    outputs: number,
  ): Promise<NativeTensor[]>;
  /** Waits where it is called, and looks after the processes of `tasks` meanwhile. Earlier set-ups lack it. */
  executeOpWatched?(
    name: string,
    attributes: readonly Attribute[],
    inputs: readonly number[],
    outputs: number,
    tasks: readonly string[],
  ): NativeTensor[];
  abortCollectives(code: number, message: string): void;
  checkPeer(task: string, milliseconds: number): Promise<void>;
}

/** The backend of tfjs-node, as far as it is used here. */
export interface NativeBackend {
  readonly binding: CollectiveBinding;
  readonly isUsingGpuDevice: boolean;
  getDTypeInteger(dtype: string): number;
  /** Makes handles of tensors that have none yet. */
  getInputTensorIds(tensors: readonly tf.Tensor[]): number[];
  createOutputTensor(tensor: NativeTensor): tf.Tensor;
}

/**
 * The current backend, which must be a TensorFlow whose binding was compiled by `setup tensorflow`.
 * @throws ENGINE_MISSING
 */
export function nativeBackend(): NativeBackend {
  const backend = tf.backend() as unknown as Partial<NativeBackend>;
  if (tf.getBackend() === 'tensorflow' && typeof backend.binding?.executeOpAsync === 'function') {
    return backend as NativeBackend;
  }
  throw new RcnnError('ENGINE_MISSING', {
    where: 'joinGroup',
    problem: 'work with other processes needs TensorFlow with collective operations',
    found: tf.getBackend() === 'tensorflow' ? 'a binding of tfjs-node without them' : `the engine ${tf.getBackend()}`,
    hint: 'Run: npx mask-rcnn setup tensorflow.',
  });
}

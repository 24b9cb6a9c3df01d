import * as tf from '@tensorflow/tfjs-core';

/** What the `onnxruntime` engine offers beyond tfjs: tensors in JavaScript memory from a pool, without copies. */
interface PooledBackend {
  values(tensor: tf.TensorInfo): Float32Array;
  /** A tensor of arbitrary content. */
  float32(shape: readonly number[]): tf.TensorInfo;
}

function pooledBackend(): PooledBackend | undefined {
  const backend = tf.backend() as Partial<PooledBackend>;
  return typeof backend.values === 'function' && typeof backend.float32 === 'function'
    ? (backend as PooledBackend)
    : undefined;
}

/** Whether tensors can be read at once. On a GPU they can only be awaited, so work belongs on the device. */
export function tensorsAreOnHost(): boolean {
  return !['webgpu', 'webgl'].includes(tf.getBackend());
}

/**
 * The numbers of a float32 tensor, in place where the engine keeps them in JavaScript memory (`onnxruntime`, `cpu`) and
 * as a copy elsewhere. Read only, and only until the tensor is disposed: the engine uses the memory again.
 */
export function hostValues(tensor: tf.Tensor): Float32Array {
  const pooled = pooledBackend();
  // Only that engine's own tensors: tfjs moves others over when a kernel asks for them.
  if (pooled !== undefined && hasData(tensor)) return pooled.values(tensor);
  return tensor.dataSync<'float32'>() as Float32Array;
}

/**
 * New float32 tensors whose numbers `fill` writes: straight into the engine's pooled memory where it has such, because
 * fresh memory costs a page fault for every 4 KB. `zeroed` says whether the memory is all 0 or arbitrary.
 */
export function hostTensors(
  shapes: readonly (readonly number[])[],
  fill: (values: Float32Array[], zeroed: boolean) => void,
): tf.Tensor[] {
  const pooled = pooledBackend();
  if (pooled !== undefined) {
    const infos = shapes.map((shape) => pooled.float32(shape));
    fill(
      infos.map((info) => pooled.values(info)),
      false,
    );
    return infos.map((info) => tf.engine().makeTensorFromTensorInfo(info));
  }
  const values = shapes.map((shape) => new Float32Array(tf.util.sizeFromShape([...shape])));
  fill(values, true);
  return shapes.map((shape, i) => tf.tensor(values[i]!, [...shape], 'float32'));
}

/** The numbers of all parts, one after the other, as a new array. */
export function concatFloats(parts: readonly Float32Array[]): Float32Array {
  const whole = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function hasData(tensor: tf.Tensor): boolean {
  const backend = tf.backend() as unknown as { data?: { has(id: object): boolean } };
  return backend.data?.has(tensor.dataId) ?? false;
}

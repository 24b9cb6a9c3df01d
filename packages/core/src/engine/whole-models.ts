import * as tf from '@tensorflow/tfjs-core';

/** A tensor on the host, row-major, on its way into or out of a whole model. */
export interface SessionTensor {
  readonly data: Float32Array | Int32Array | BigInt64Array | Uint8Array;
  readonly dims: readonly number[];
}

/**
 * Whatever runs an ONNX model. In Node `openOnnxModel` of `@rcnn/tfjs-backend-onnxruntime/model` gives one; in a
 * browser `webModels` of `@rcnn/onnx`, around onnxruntime-web.
 */
export interface ModelSession {
  run(
    inputs: Readonly<Record<string, SessionTensor>>,
    outputs: readonly string[],
  ): Promise<Readonly<Record<string, SessionTensor>>>;
  dispose(): void;
}

/** Makes a session of the bytes of an ONNX model, which the caller may use for something else afterwards. */
export type ModelOpener = (model: Uint8Array) => ModelSession | Promise<ModelSession>;

/** What an engine may offer beyond tfjs: to run whole ONNX models. */
interface ModelBackend {
  openModel(model: Uint8Array): ModelSession;
  /** See {@link modelsAreQuicker}; absent where they always are. */
  modelsAreQuicker?(channels: number): boolean;
}

/** How the engine in use runs whole models; undefined where it cannot (all but `onnxruntime`). */
export function engineModels(): ModelOpener | undefined {
  const backend = tf.engine().backendName ? (tf.backend() as Partial<ModelBackend>) : {};
  return typeof backend.openModel === 'function' ? (model) => (backend as ModelBackend).openModel(model) : undefined;
}

/**
 * Whether a network runs quicker as a whole model than operation by operation on the engine in use, which may have better
 * ways of its own for wide convolutions.
 * @param channels of the maps on which the network does most of its work
 */
export function modelsAreQuicker(channels: number): boolean {
  const backend = tf.engine().backendName ? (tf.backend() as Partial<ModelBackend>) : {};
  return backend.modelsAreQuicker?.(channels) ?? true;
}

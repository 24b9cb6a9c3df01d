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
}

/** How the engine in use runs whole models; undefined where it cannot (all but `onnxruntime`). */
export function engineModels(): ModelOpener | undefined {
  const backend = tf.engine().backendName ? (tf.backend() as Partial<ModelBackend>) : {};
  return typeof backend.openModel === 'function' ? (model) => (backend as ModelBackend).openModel(model) : undefined;
}

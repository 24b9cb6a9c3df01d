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
export interface ModelOpener {
  (model: Uint8Array): ModelSession | Promise<ModelSession>;
  /** Where it computes, in words: `onnxruntime-web (CPU, 2 threads)`. */
  readonly device?: string;
}

/** What an engine may offer beyond tfjs: to run whole ONNX models. */
interface ModelBackend {
  openModel(model: Uint8Array): ModelSession;
  /** See {@link modelsAreQuicker}; absent where they always are. */
  modelsAreQuicker?(channels: number): boolean;
}

/** What runs whole models beside an engine that cannot itself; or why nothing does. */
export interface ModelsBeside {
  /** The backend beside which it stands: with another one it is not used. */
  readonly backend: string;
  readonly open?: ModelOpener | undefined;
  readonly why?: string | undefined;
}

let beside: ModelsBeside | undefined;

/** Says what runs whole models as long as its backend is current; undefined takes it away. */
export function setModelsBeside(models: ModelsBeside | undefined): void {
  beside = models;
}

/**
 * How the engine in use runs whole models: by itself (`onnxruntime` in Node), else by the `models` that `useEngine` was
 * given; undefined where neither can.
 */
export function engineModels(): ModelOpener | undefined {
  const backend = currentBackend();
  if (typeof backend.openModel === 'function') return (model) => (backend as ModelBackend).openModel(model);
  return besideCurrent()?.open;
}

/** Why the `models` that `useEngine` was given are not used; undefined where they are, or where there are none. */
export function whyNoModels(): string | undefined {
  return besideCurrent()?.why;
}

/**
 * Whether a network runs quicker as a whole model than operation by operation on the engine in use, which may have better
 * ways of its own for wide convolutions.
 * @param channels of the maps on which the network does most of its work
 */
export function modelsAreQuicker(channels: number): boolean {
  return currentBackend().modelsAreQuicker?.(channels) ?? true;
}

function currentBackend(): Partial<ModelBackend> {
  return tf.engine().backendName ? (tf.backend() as Partial<ModelBackend>) : {};
}

function besideCurrent(): ModelsBeside | undefined {
  return beside?.backend === tf.engine().backendName ? beside : undefined;
}

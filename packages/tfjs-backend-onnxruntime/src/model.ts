import { OnnxRuntimeBackendError } from './errors.ts';
import { createModel, type NativeTensor } from './native.ts';
import { checkThreads, defaultThreads } from './threads.ts';

/** A tensor of a whole model: row-major, on the host. */
export interface ModelTensor {
  readonly data: Float32Array | Int32Array | BigInt64Array | Uint8Array;
  readonly dims: readonly number[];
}

/** An ONNX model that is ready to run. It holds memory and threads of its own until it is disposed. */
export interface OnnxSession {
  run(inputs: Readonly<Record<string, ModelTensor>>, outputs: readonly string[]): Promise<Record<string, ModelTensor>>;
  dispose(): void;
}

/**
 * Opens a whole ONNX model on the library that this backend computes on. No backend is registered by that, and none is
 * needed.
 * @param model the bytes of an `.onnx` file
 * @throws OnnxRuntimeBackendError NATIVE_MISSING, GRAPH_FAILED when the library refuses the model
 */
export function openOnnxModel(model: Uint8Array, options: { readonly threads?: number | undefined } = {}): OnnxSession {
  const { threads = defaultThreads() } = options;
  checkThreads(threads, 'threads');
  return sessionOf(orFail('opening a model', () => createModel(model, threads)));
}

/** By itself, so that what runs the model does not keep its bytes. */
function sessionOf(opened: ReturnType<typeof createModel>): OnnxSession {
  let session: ReturnType<typeof createModel> | undefined = opened;
  return {
    async run(inputs, outputs) {
      const open = session;
      if (open === undefined) throw new OnnxRuntimeBackendError('GRAPH_FAILED', 'the model was disposed');
      const feeds = Object.fromEntries(Object.entries(inputs).map(([name, tensor]) => [name, nativeOf(tensor)]));
      return orFail('running a model', () => open.run(feeds, outputs));
    },
    dispose() {
      session?.dispose();
      session = undefined;
    },
  };
}

function orFail<T>(what: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    if (cause instanceof OnnxRuntimeBackendError) throw cause;
    throw new OnnxRuntimeBackendError('GRAPH_FAILED', `${what}: ${String(cause)}`, { cause });
  }
}

function nativeOf({ data, dims }: ModelTensor): NativeTensor {
  return { type: typeOf(data), location: 'cpu', dims, data };
}

function typeOf(data: ModelTensor['data']): NativeTensor['type'] {
  if (data instanceof Float32Array) return 'float32';
  if (data instanceof Int32Array) return 'int32';
  return data instanceof BigInt64Array ? 'int64' : 'bool';
}

import { type ModelOpener, type ModelSession, RcnnError, type SessionTensor } from '@rcnn/core';

/** What is used of the module `onnxruntime-web`, or of one of its kinds such as `onnxruntime-web/webgpu`. */
export interface WebRuntime {
  readonly InferenceSession: { create(model: Uint8Array, options: object): Promise<WebSession> };
  readonly Tensor: new (type: WebType, data: never, dims: readonly number[]) => object;
  readonly env?: { readonly wasm: { numThreads?: number } };
}

/** One of its sessions. */
export interface WebSession {
  run(feeds: Record<string, never>, fetches: readonly string[]): Promise<Readonly<Record<string, object>>>;
  release(): Promise<void>;
}

type WebType = 'float32' | 'int32' | 'int64' | 'bool';

export interface WebModelOptions {
  /** What onnxruntime computes on, the first that works: `webgpu`, `wasm`. Default `wasm`. */
  readonly providers?: readonly string[] | undefined;
  /**
   * Threads of WebAssembly; the first session of a page decides. Default what onnxruntime-web thinks best: more than one
   * needs a page that is isolated (COOP and COEP headers).
   */
  readonly threads?: number | undefined;
  /** What it computes on, in words. */
  readonly device?: string | undefined;
}

/**
 * Runs exported models and compiled graphs on onnxruntime-web, which the application brings along; for `useEngine` and
 * `load` there is {@link onnxRuntimeWeb}. A model is opened with ENGINE_MISSING where onnxruntime-web does not start.
 *
 * ```ts
 * import * as ort from 'onnxruntime-web';
 * const detector = compile(model, { open: webModels(ort) });
 * ```
 */
export function webModels(runtime: WebRuntime, options: WebModelOptions = {}): ModelOpener {
  const { providers = ['wasm'], threads, device = 'onnxruntime-web' } = options;
  if (threads !== undefined && runtime.env !== undefined) runtime.env.wasm.numThreads = threads;
  const open = async (model: Uint8Array): Promise<ModelSession> => {
    const settings = { executionProviders: providers, graphOptimizationLevel: 'all', logSeverityLevel: ERRORS };
    const session = await runtime.InferenceSession.create(model, settings).catch((cause: unknown) => {
      throw asStart(cause);
    });
    return new QueuedSession(runtime, session);
  };
  return Object.assign(open, { device });
}

/** Its warnings are about its own graphs: they tell a page's user nothing. */
const ERRORS = 3;

/** What onnxruntime-web says when none of its providers starts, mostly since its programs are not where it looks. */
const NO_START = /no available backend found|previous call to 'initWasm\(\)' failed/;

/** An error of its start in our words; others as they are. */
function asStart(cause: unknown): unknown {
  const message = cause instanceof Error ? cause.message : String(cause);
  if (!NO_START.test(message)) return cause;
  return new RcnnError('ENGINE_MISSING', {
    where: 'webModels',
    problem: 'onnxruntime-web does not start',
    found: message,
    hint:
      'Its programs (.wasm) are looked for beside its script: serve them there, or name them before the first model by ' +
      'ort.env.wasm.wasmPaths = { wasm: url }, with Vite from "onnxruntime-web/ort-wasm-simd-threaded.wasm?url".',
    cause,
  });
}

/** A session of onnxruntime-web runs one thing at a time, so calls wait for each other, and releasing it for the last. */
class QueuedSession implements ModelSession {
  readonly #runtime: WebRuntime;
  readonly #session: WebSession;
  #last: Promise<unknown> = Promise.resolve();

  constructor(runtime: WebRuntime, session: WebSession) {
    this.#runtime = runtime;
    this.#session = session;
  }

  run(
    inputs: Readonly<Record<string, SessionTensor>>,
    outputs: readonly string[],
  ): Promise<Readonly<Record<string, SessionTensor>>> {
    const { Tensor } = this.#runtime;
    const feeds = Object.entries(inputs).map(([name, { data, dims }]) => {
      return [name, new Tensor(typeOf(data), data as never, dims)] as const;
    });
    return this.#next(async () => {
      const found = await this.#session.run(Object.fromEntries(feeds) as Record<string, never>, outputs);
      return found as Readonly<Record<string, SessionTensor>>;
    });
  }

  dispose(): void {
    void this.#next(() => this.#session.release());
  }

  #next<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => {}); // whoever asked is told
    return result;
  }
}

function typeOf(data: SessionTensor['data']): WebType {
  if (data instanceof Float32Array) return 'float32';
  if (data instanceof Int32Array) return 'int32';
  return data instanceof BigInt64Array ? 'int64' : 'bool';
}

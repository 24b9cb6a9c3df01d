import type { ModelOpener, ModelSession, SessionTensor } from '@rcnn/core';

/** What is used of the module `onnxruntime-web`, or of one of its kinds such as `onnxruntime-web/webgpu`. */
export interface WebRuntime {
  readonly InferenceSession: { create(model: Uint8Array, options: object): Promise<WebSession> };
  readonly Tensor: new (type: WebType, data: never, dims: readonly number[]) => object;
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
}

/**
 * Runs exported models and compiled graphs on onnxruntime-web, which the application brings along:
 *
 * ```ts
 * import * as ort from 'onnxruntime-web';
 * const detector = compile(model, { open: webModels(ort) });
 * ```
 */
export function webModels(runtime: WebRuntime, { providers = ['wasm'] }: WebModelOptions = {}): ModelOpener {
  return async (model) => {
    const options = { executionProviders: providers, graphOptimizationLevel: 'all' };
    return new QueuedSession(runtime, await runtime.InferenceSession.create(model, options));
  };
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

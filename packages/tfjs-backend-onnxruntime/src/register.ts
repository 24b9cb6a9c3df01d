import '@tensorflow/tfjs-backend-cpu'; // registers the kernels that ours fall back on
import {
  backend as currentBackend,
  getBackend,
  getKernelsForBackend,
  type KernelConfig,
  registerBackend,
  registerKernel,
} from '@tensorflow/tfjs-core';
import { type OnnxRuntimeOptions, OrtBackend } from './backend.ts';
import { OnnxRuntimeBackendError } from './errors.ts';
import { kernels } from './kernels/index.ts';
import type { KernelCall, OrtKernel } from './kernels/kernel.ts';
import { checkNative } from './native.ts';
import { checkThreads } from './threads.ts';

/** The name of this backend, for `tf.setBackend`. */
export const BACKEND_NAME = 'onnxruntime';

/** Above `cpu` (1) and beside `wasm` (2): tfjs then prefers it in Node. */
const PRIORITY = 2;

let options: OnnxRuntimeOptions = {};
let registered = false;

/** Registers the backend and its kernels with tfjs. Importing the package does it, too. */
export function register(): void {
  if (registered) return;
  registered = true;
  registerBackend(BACKEND_NAME, () => new OrtBackend(options), PRIORITY);
  const ours = new Map(kernels.map((kernel) => [kernel.name, kernel]));
  for (const fallback of getKernelsForBackend('cpu')) {
    const kernel = ours.get(fallback.kernelName);
    registerKernel({
      ...fallback,
      backendName: BACKEND_NAME,
      ...(kernel && { kernelFunc: withFallback(kernel, fallback) }),
    });
    ours.delete(fallback.kernelName);
  }
  for (const kernel of ours.values()) {
    registerKernel({ kernelName: kernel.name, backendName: BACKEND_NAME, kernelFunc: alone(kernel) });
  }
}

/** Ours first; what it declines goes to the `cpu` kernel, which works on the same memory. */
function withFallback(kernel: OrtKernel, { kernelFunc }: KernelConfig): KernelConfig['kernelFunc'] {
  return (call) => kernel.run(call as unknown as KernelCall) ?? kernelFunc(call);
}

/** Kernels that tfjs does not have: nothing else could do what they decline. */
function alone(kernel: OrtKernel): KernelConfig['kernelFunc'] {
  return (call) => {
    const result = kernel.run(call as unknown as KernelCall);
    if (result !== undefined) return result;
    const shapes = Object.values(call.inputs).map((input) => `${input!.dtype}[${input!.shape.join()}]`);
    throw new OnnxRuntimeBackendError(
      'GRAPH_FAILED',
      `${kernel.name}: found ${shapes.join(', ')}, expected float32 maps [N, H, W, C] that are not empty, and a filter whose channels divide theirs.`,
    );
  };
}

/** Options of the backend; to be set before tfjs first uses it. Threads can also be changed later. */
export function configure(wanted: OnnxRuntimeOptions): void {
  if (wanted.threads !== undefined) checkThreads(wanted.threads, 'configure: threads');
  const running = getBackend() === BACKEND_NAME ? (currentBackend() as OrtBackend) : undefined;
  const { threads, ...fixed } = wanted;
  if (running && Object.keys(fixed).length > 0) {
    throw new OnnxRuntimeBackendError(
      'BAD_OPTION',
      `configure: found a running backend, expected ${Object.keys(fixed).join(', ')} before tf.setBackend('onnxruntime').`,
    );
  }
  options = { ...options, ...wanted };
  if (running && threads !== undefined) running.sessions.threads = threads;
}

/** Whether the native side loads and works here; if not, why. Costs a few milliseconds. */
export function probe(): { readonly works: true } | { readonly works: false; readonly reason: string } {
  try {
    checkNative();
    return { works: true };
  } catch (error) {
    return { works: false, reason: error instanceof Error ? error.message : String(error) };
  }
}

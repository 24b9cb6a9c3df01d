/**
 * The only file that touches onnxruntime's native binding for Node.
 *
 * tfjs kernels are synchronous and the public API of onnxruntime-node is not, so this uses the class below it,
 * which is not public: the version is pinned, and {@link checkNative} tests at start-up that it still
 * does what the backend needs.
 */
import { dirname, join, resolve } from 'node:path';
import { isMainThread } from 'node:worker_threads';
import { OnnxRuntimeBackendError } from './errors.ts';
import { encodeModel, FLOAT, MARKER } from './onnx.ts';

/** A tensor as the binding reads it. Outputs are tensors too: their `data` is written in place. */
export interface NativeTensor {
  readonly type: 'float32' | 'int32' | 'int64' | 'bool';
  readonly location: 'cpu';
  readonly dims: readonly number[];
  readonly data: Float32Array | Int32Array | BigInt64Array | Uint8Array;
}

interface BindingSession {
  loadModel(buffer: ArrayBufferLike, byteOffset: number, byteLength: number, options: object): void;
  run(feeds: object, fetches: object, options: object): Record<string, unknown>;
  dispose(): void;
}

interface Binding {
  readonly InferenceSession: new () => BindingSession;
  /** Before the first session. `Output` is what the binding makes of outputs that it converts. */
  initOrtOnce(logLevel: number, Output: new (...values: never[]) => object, isMainThread: boolean): void;
}

export interface NativeSession {
  /** Runs the model; every tensor in `outputs` is written in place. */
  run(inputs: Readonly<Record<string, NativeTensor>>, outputs: Readonly<Record<string, NativeTensor>>): void;
  dispose(): void;
}

/** What the binding makes of an output that it allocates itself. Kernels write theirs in place and never see one. */
export class NativeOutput {
  readonly type: string;
  readonly data: Float32Array | Int32Array | BigInt64Array | Uint8Array;
  readonly dims: readonly number[];

  constructor(type: string, data: NativeOutput['data'], dims: readonly number[]) {
    this.type = type;
    this.data = data;
    this.dims = dims;
  }
}

let loaded: Binding | undefined;

const FATAL_ONLY = 4;

function load(): Binding {
  if (loaded) return loaded;
  const reasons: string[] = [];
  for (const open of [openOwn, openOnnxRuntimeNode]) {
    for (const require of requires()) {
      try {
        const binding = open(require);
        binding.initOrtOnce(FATAL_ONLY, NativeOutput, isMainThread);
        loaded = binding;
        return binding;
      } catch (cause) {
        reasons.push(cause instanceof Error ? cause.message.split('\n')[0]! : String(cause));
      }
    }
  }
  throw new OnnxRuntimeBackendError(
    'NATIVE_MISSING',
    `onnxruntime does not load on ${PLATFORM}, Node ${process.version}: ${[...new Set(reasons)].join('; ')}. ` +
      'It is there for Linux with glibc and Windows on x64 and arm64, and macOS on arm64. ' +
      `If this is one of them, '@rcnn/onnxruntime-${PLATFORM}' was left out when the backend was installed ` +
      "(npm's --omit=optional does that): install it by name.",
  );
}

const PLATFORM = `${process.platform}-${process.arch}`;

/**
 * Where the library is looked for: beside this file, and, because a bundle may lie anywhere, beside this package as the
 * application has it installed: from the program that was started, never from the working folder, which may be a
 * stranger's. Reached through `process`, so that no bundler tries to follow a name made at run time.
 */
function* requires(): Generator<NodeJS.Require> {
  const { createRequire } = process.getBuiltinModule('node:module');
  const program = process.argv[1];
  const application = createRequire(program === undefined ? process.execPath : resolve(program));
  for (const make of [
    () => createRequire(import.meta.url),
    () => createRequire(application.resolve('@rcnn/tfjs-backend-onnxruntime/package.json')),
    () => application,
  ]) {
    try {
      yield make();
    } catch {
      // a bundle's file has no such place, or the application no such package
    }
  }
}

/** The package of this platform, which holds nothing but the CPU library and the binding. */
function openOwn(require: NodeJS.Require): Binding {
  return require(`@rcnn/onnxruntime-${PLATFORM}`) as Binding;
}

/** Whoever has the whole of onnxruntime-node installed needs no other package: so it is in this repository. */
function openOnnxRuntimeNode(require: NodeJS.Require): Binding {
  const folder = dirname(require.resolve('onnxruntime-node/package.json'));
  const place = join(folder, 'bin', 'napi-v6', process.platform, process.arch, 'onnxruntime_binding.node');
  return require(place) as Binding;
}

/** A session for a whole model, whose outputs have sizes that nobody knows beforehand. */
export interface NativeModel {
  run(inputs: Readonly<Record<string, NativeTensor>>, outputs: readonly string[]): Record<string, NativeOutput>;
  dispose(): void;
}

/** Here onnxruntime optimizes as it likes: it fuses, and keeps its blocked layout from layer to layer. */
export function createModel(model: Uint8Array, threads: number): NativeModel {
  const session = new (load().InferenceSession)();
  session.loadModel(model.buffer, model.byteOffset, model.byteLength, {
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
    enableCpuMemArena: false, // an arena grows by doubling and never shrinks: 0.4 GB more for the same speed
    enableMemPattern: false, // images differ in size
    logSeverityLevel: FATAL_ONLY,
    extra: { session: { intra_op: { allow_spinning: '0' }, set_denormal_as_zero: '1' } },
  });
  return {
    run: (inputs, outputs) =>
      session.run(inputs, Object.fromEntries(outputs.map((name) => [name, null])), {}) as Record<string, NativeOutput>,
    dispose: () => session.dispose(),
  };
}

export function createSession(model: Uint8Array, threads: number): NativeSession {
  const session = new (load().InferenceSession)();
  session.loadModel(model.buffer, model.byteOffset, model.byteLength, {
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: 'basic', // kernels are chosen by hand
    enableCpuMemArena: false, // one node per model has nothing to share, and an arena never shrinks
    enableMemPattern: false,
    logSeverityLevel: FATAL_ONLY,
    extra: { session: { intra_op: { allow_spinning: '0' }, set_denormal_as_zero: '1' } },
  });
  return { run: (inputs, outputs) => runInPlace(session, inputs, outputs), dispose: () => session.dispose() };
}

/** How the binding refuses to convert an output that is no tensor. */
const MARKER_REFUSED = 'Non tensor type';

/**
 * The binding copies every output into a new buffer after the run, even one that was written in
 * place: for a map of 64 MB that takes three times as long as adding two of them. It converts outputs
 * in order and stops at one it cannot represent. The marker is such a one and comes first, so the run
 * has ended well and nothing is copied. Should a later version represent it, we only lose the time.
 */
function runInPlace(session: BindingSession, inputs: object, outputs: object): void {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0; // nobody reads this one's stack, and taking it costs as much as a small kernel
  try {
    session.run(inputs, { [MARKER]: null, ...outputs }, {});
  } catch (error) {
    if (!(error instanceof Error) || !error.message.startsWith(MARKER_REFUSED)) throw error;
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

/** Proves on three numbers that the binding is synchronous, takes plain tensors and writes in place. */
export function checkNative(): void {
  const session = createSession(
    encodeModel({
      nodes: [{ op: 'Neg', inputs: ['x'], outputs: ['y'] }],
      inputs: [{ name: 'x', type: FLOAT }],
      outputs: [{ name: 'y', type: FLOAT }],
    }),
    1,
  );
  const tensor = (data: Float32Array): NativeTensor => ({ type: 'float32', location: 'cpu', dims: [3], data });
  const result = new Float32Array(3);
  try {
    session.run({ x: tensor(Float32Array.of(1, -2, 3)) }, { y: tensor(result) });
  } catch (cause) {
    throw changed(String(cause), cause);
  } finally {
    session.dispose();
  }
  if (result.join() !== '-1,2,-3') throw changed(`negating 1,-2,3 gave ${result.join()}`);
}

function changed(found: string, cause?: unknown): OnnxRuntimeBackendError {
  return new OnnxRuntimeBackendError(
    'NATIVE_CHANGED',
    `the native binding of onnxruntime-node does not behave as this backend needs: ${found}. ` +
      'Install the version that this package names in its dependencies.',
    { cause },
  );
}

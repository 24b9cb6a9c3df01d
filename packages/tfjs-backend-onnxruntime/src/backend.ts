import { MathBackendCPU } from '@tensorflow/tfjs-backend-cpu';
import {
  type backend_util,
  buffer,
  type DataType,
  type Rank,
  type TensorBuffer,
  type TensorInfo,
  util,
} from '@tensorflow/tfjs-core';
import { type Convolutions, checkConvolutions, defaultConvolutions } from './convolutions.ts';
import { OnnxRuntimeBackendError } from './errors.ts';
import { type OnnxSession, openOnnxModel } from './model.ts';
import { checkNative, type NativeTensor } from './native.ts';
import { BufferPool } from './pool.ts';
import { type NamedGraph, Sessions } from './sessions.ts';
import { checkThreads, defaultThreads } from './threads.ts';
import { modelsAreQuicker } from './winograd-cost.ts';

export interface OnnxRuntimeOptions {
  /** Threads of one operation. Default: `RCNN_THREADS`, else the physical cores this process may use. */
  threads?: number;
  /** Bytes of freed tensors kept for the next ones. Default 2 GiB. */
  poolBytes?: number;
  /** Native sessions kept open; each owns its threads. Default 128. */
  maxSessions?: number;
  /** Convolve in onnxruntime's blocked layout where the processor has it; false is slower. Default true. */
  blockedLayout?: boolean;
  /** How 3x3 convolutions with stride 1 are done. Default: `RCNN_KERNELS`, else `auto`: what is quicker for the shape. */
  convolutions?: Convolutions;
}

export type NumericArray = Float32Array | Int32Array | Uint8Array;

const DEFAULT_POOL_BYTES = 2 * 2 ** 30;
const DEFAULT_MAX_SESSIONS = 128;

interface Stored {
  values?: backend_util.BackendValues;
  dtype: DataType;
  refCount: number;
  /** The values in another order that some kernel wants, made at most once; see {@link OrtBackend.derived}. */
  derived?: Map<string, Float32Array>;
}

/**
 * A tfjs backend whose tensors live in JavaScript, as those of the `cpu` backend do, so that every
 * kernel of that backend works on them; and whose costly kernels run in onnxruntime, on the same memory.
 */
export class OrtBackend extends MathBackendCPU {
  readonly pool: BufferPool;
  readonly sessions: Sessions;
  readonly blockedLayout: boolean;
  readonly convolutions: Convolutions;

  constructor({
    threads = defaultThreads(),
    poolBytes = DEFAULT_POOL_BYTES,
    maxSessions = DEFAULT_MAX_SESSIONS,
    blockedLayout = true,
    convolutions = defaultConvolutions(),
  }: OnnxRuntimeOptions = {}) {
    super();
    if (!(poolBytes >= 0))
      throw new OnnxRuntimeBackendError('BAD_OPTION', `poolBytes: found ${poolBytes}, expected 0 or more.`);
    checkNative();
    this.pool = new BufferPool(poolBytes);
    this.blockedLayout = blockedLayout;
    this.convolutions = checkConvolutions(convolutions, 'convolutions');
    this.sessions = new Sessions(checkThreads(threads, 'threads'), checkThreads(maxSessions, 'maxSessions'));
  }

  /** Takes in values from outside. They are copied, so that the caller may go on using them. */
  override write(values: backend_util.BackendValues, shape: number[], dtype: DataType): object {
    return this.adopt(ArrayBuffer.isView(values) ? this.copy(values as NumericArray) : values, shape, dtype);
  }

  /** Takes in what a kernel has computed; not copied. */
  override makeTensorInfo(
    shape: number[],
    dtype: DataType,
    values?: backend_util.BackendValues | string[],
  ): TensorInfo {
    const stored =
      dtype === 'string' && typeof values?.[0] === 'string'
        ? (values as string[]).map((text) => util.encodeString(text))
        : (values as backend_util.BackendValues);
    return { dataId: this.adopt(stored, shape, dtype), shape, dtype };
  }

  override move(
    dataId: object,
    values: backend_util.BackendValues,
    _shape: number[],
    dtype: DataType,
    refCount: number,
  ): void {
    this.store(dataId, values, dtype, refCount);
  }

  /** A copy, because the memory below is used again when the tensor is disposed. */
  override readSync(dataId: object): backend_util.BackendValues {
    const values = super.readSync(dataId);
    return ArrayBuffer.isView(values) ? (values as NumericArray).slice() : values;
  }

  /** For kernels of the `cpu` backend: they read it at once, so it is not copied. */
  override bufferSync<R extends Rank, D extends DataType>(t: TensorInfo): TensorBuffer<R, D> {
    if (t.dtype === 'string' || t.dtype === 'complex64') return super.bufferSync(t);
    return buffer(t.shape as never, t.dtype, this.values(t) as never) as TensorBuffer<R, D>;
  }

  override disposeData(dataId: object, force = false): boolean {
    const stored = this.data.has(dataId) ? (this.data.get(dataId) as Stored) : undefined;
    const gone = super.disposeData(dataId, force);
    if (stored && gone) {
      this.release(stored.values);
      for (const values of stored.derived?.values() ?? []) this.release(values);
    }
    return gone;
  }

  override dispose(): void {
    this.sessions.clear();
    this.pool.clear();
  }

  /** The values of a tensor, in place: read only. */
  values(tensor: TensorInfo): NumericArray {
    return this.data.get(tensor.dataId).values as NumericArray;
  }

  floats(tensor: TensorInfo): Float32Array {
    return this.values(tensor) as Float32Array;
  }

  /** A new tensor of arbitrary content, for a kernel to fill. */
  float32(shape: readonly number[]): TensorInfo {
    return this.makeTensorInfo([...shape], 'float32', this.pool.float32(util.sizeFromShape([...shape])));
  }

  output(shape: readonly number[], dtype: DataType): TensorInfo {
    const size = util.sizeFromShape([...shape]);
    if (dtype === 'float32') return this.float32(shape);
    if (dtype === 'int32') return this.makeTensorInfo([...shape], dtype, this.pool.int32(size));
    return this.makeTensorInfo([...shape], dtype, this.pool.uint8(size));
  }

  /** Lends memory to `work` for as long as it runs. */
  scratch<T>(length: number, work: (memory: Float32Array) => T): T {
    const memory = this.pool.float32(length);
    this.pool.retain(memory.buffer);
    try {
      return work(memory);
    } finally {
      this.pool.release(memory.buffer);
    }
  }

  /**
   * The values of a tensor in the order that `make` gives them, kept as long as the tensor: weights
   * that stay the same, as in prediction or a frozen layer, are put in order once.
   */
  derived(tensor: TensorInfo, key: string, length: number, make: (target: Float32Array) => void): Float32Array {
    const stored = this.data.get(tensor.dataId) as Stored;
    const known = stored.derived?.get(key);
    if (known) return known;
    const target = this.pool.float32(length);
    make(target);
    this.pool.retain(target.buffer);
    stored.derived ??= new Map();
    stored.derived.set(key, target);
    return target;
  }

  run(graph: NamedGraph, inputs: readonly NativeTensor[], outputs: readonly NativeTensor[]): void {
    this.sessions.run(graph, inputs, outputs);
  }

  /** Opens a whole ONNX model on as many threads as the kernels have. Whoever opens it disposes it. */
  openModel(model: Uint8Array): OnnxSession {
    return openOnnxModel(model, { threads: this.sessions.threads });
  }

  /** Whether a network that convolves maps of so many channels is quicker as a whole model than by these kernels. */
  modelsAreQuicker(channels: number): boolean {
    return modelsAreQuicker(this.convolutions, this.sessions.threads, channels);
  }

  /** How the native side sees a tensor; `dims` where the kernel reads it in another shape. */
  native(tensor: TensorInfo, dims: readonly number[] = tensor.shape): NativeTensor {
    return { type: tensor.dtype as NativeTensor['type'], location: 'cpu', dims, data: this.values(tensor) };
  }

  private adopt(values: backend_util.BackendValues, _shape: number[], dtype: DataType): object {
    const dataId = {};
    this.store(dataId, values, dtype, 1);
    return dataId;
  }

  private store(dataId: object, values: backend_util.BackendValues, dtype: DataType, refCount: number): void {
    this.data.set(dataId, { values, dtype, refCount });
    if (ArrayBuffer.isView(values)) this.pool.retain(values.buffer);
  }

  private copy(values: NumericArray): NumericArray {
    const copy =
      values instanceof Float32Array
        ? this.pool.float32(values.length)
        : values instanceof Int32Array
          ? this.pool.int32(values.length)
          : this.pool.uint8(values.length);
    copy.set(values);
    return copy;
  }

  private release(values: backend_util.BackendValues | undefined): void {
    if (ArrayBuffer.isView(values)) this.pool.release(values.buffer);
  }
}

/** A float32 tensor for the native side that is no tensor of tfjs. */
export function nativeFloats(data: Float32Array, dims: readonly number[]): NativeTensor {
  return { type: 'float32', location: 'cpu', dims, data };
}

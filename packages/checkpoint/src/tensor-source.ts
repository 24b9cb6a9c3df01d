import { RcnnError } from '@rcnn/core/errors';
import type { ByteSource } from './byte-source.ts';
import { DTYPES, type DType, elementCount } from './dtypes.ts';

/** Pieces of this size are read when a tensor is streamed. */
export const CHUNK_BYTES: number = 8 * 1024 * 1024;

/** One tensor of a checkpoint: what it is called and is, and a way to its bytes. */
export interface TensorEntry {
  /** Dotted, as in a PyTorch state dict: `backbone.body.conv1.weight`. */
  readonly name: string;
  readonly dtype: DType;
  /** As PyTorch stores it (a convolution is OIHW); `[]` for a scalar. */
  readonly shape: readonly number[];
  readonly byteLength: number;
  /** Where a nested file keeps it: `['model', 'conv.weight']`. Absent in flat files. */
  readonly path?: readonly string[];
  /**
   * All its bytes: row-major, little-endian, in the stored type; an array that the caller owns.
   * @param into memory that may be used for them instead of new memory, if it is large enough; the answer says which
   */
  read(into?: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>>;
  /** The same bytes in pieces of a few MiB. */
  chunks(): AsyncIterable<Uint8Array<ArrayBuffer>>;
}

/** The tensors of a file, whatever its format. They are read when asked for. */
export interface TensorSource {
  /** The file, for errors. */
  readonly name: string;
  readonly format: 'safetensors' | 'pth' | 'pth-legacy' | 'pickle' | 'memory';
  /** By name, in the order of the file. */
  readonly tensors: ReadonlyMap<string, TensorEntry>;
  /** Text that the file carries beside its tensors. */
  readonly metadata: ReadonlyMap<string, string>;
  close(): Promise<void>;
}

/** A tensor whose bytes lie in one piece of a source. */
export function sliceEntry(
  source: ByteSource,
  offset: number,
  { name, dtype, shape }: { name: string; dtype: DType; shape: readonly number[] },
): TensorEntry {
  const byteLength = elementCount(shape) * DTYPES[dtype].size;
  return {
    name,
    dtype,
    shape,
    byteLength,
    read: (into) => source.read(offset, byteLength, into),
    chunks: () => readChunks(source, offset, byteLength),
  };
}

/** Reads a range of a source piece by piece. */
export async function* readChunks(
  source: ByteSource,
  offset: number,
  length: number,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  for (let at = 0; at < length; at += CHUNK_BYTES) {
    yield await source.read(offset + at, Math.min(CHUNK_BYTES, length - at));
  }
}

/** A tensor over memory. The bytes are shared, not copied. @throws SHAPE_MISMATCH */
export function memoryEntry(
  name: string,
  dtype: DType,
  shape: readonly number[],
  data: ArrayBufferView<ArrayBuffer>,
): TensorEntry {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const byteLength = elementCount(shape) * DTYPES[dtype].size;
  if (bytes.byteLength !== byteLength) {
    throw new RcnnError('SHAPE_MISMATCH', {
      where: 'memoryEntry',
      place: name,
      problem: 'the data do not fill the shape',
      found: `${bytes.byteLength} bytes`,
      expected: `${byteLength} bytes for ${dtype} [${shape.join(',')}]`,
    });
  }
  return {
    name,
    dtype,
    shape,
    byteLength,
    read: () => Promise.resolve(new Uint8Array(bytes)),
    async *chunks() {
      yield bytes;
    },
  };
}

/** A source over tensors in memory. @throws INVALID_ARGUMENT when two have one name */
export function memorySource(entries: Iterable<TensorEntry>, name = 'memory'): TensorSource {
  const tensors = new Map<string, TensorEntry>();
  for (const entry of entries) {
    if (tensors.has(entry.name)) {
      throw new RcnnError('INVALID_ARGUMENT', {
        where: name,
        place: entry.name,
        problem: 'two tensors have this name',
      });
    }
    tensors.set(entry.name, entry);
  }
  return { name, format: 'memory', tensors, metadata: new Map(), close: () => Promise.resolve() };
}

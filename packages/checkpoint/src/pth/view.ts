import { DTYPES, elementCount } from '../dtypes.ts';
import type { TensorEntry } from '../tensor-source.ts';
import type { TensorRef } from './pickle/values.ts';
import type { StorageBytes } from './storage.ts';

/** A tensor of a `.pth` as an entry: contiguous and little-endian, whatever the file has. */
export function viewEntry(
  name: string,
  path: readonly string[],
  tensor: TensorRef,
  storage: StorageBytes,
): TensorEntry {
  const { dtype, shape, strides } = tensor;
  const itemSize = DTYPES[dtype].size;
  const byteLength = elementCount(shape) * itemSize;
  const start = tensor.storage.byteOffset + tensor.offset * itemSize;
  const dense = isContiguous(shape, strides);
  const read = async (into?: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> => {
    if (byteLength === 0) return new Uint8Array(0);
    const span = dense ? byteLength : spanOf(shape, strides) * itemSize;
    let bytes = await storage.read(start, span, into);
    if (!dense) bytes = gather(bytes, shape, strides, itemSize);
    if (storage.bigEndian) swapBytes(bytes, dtype === 'complex64' ? 4 : itemSize);
    return bytes;
  };
  return {
    name,
    path,
    dtype,
    shape,
    byteLength,
    read,
    async *chunks() {
      if (dense && !storage.bigEndian && byteLength > 0) yield* storage.chunks(start, byteLength);
      else yield await read();
    },
  };
}

/** How much of its storage reading a tensor touches, in bytes. */
export function touchedBytes({ dtype, shape, strides }: TensorRef): number {
  return shape.includes(0) ? 0 : Math.max(spanOf(shape, strides), elementCount(shape)) * DTYPES[dtype].size;
}

/** Whether elements follow each other row by row; sides of 1 may have any stride. */
function isContiguous(shape: readonly number[], strides: readonly number[]): boolean {
  let expected = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1 && strides[axis] !== expected) return false;
    expected *= shape[axis]!;
  }
  return true;
}

/** Elements from the first to the last that a view touches, both included. */
function spanOf(shape: readonly number[], strides: readonly number[]): number {
  return shape.reduce((span, side, axis) => span + (side - 1) * strides[axis]!, 1);
}

/** Picks a view's elements, row-major. */
function gather(
  bytes: Uint8Array<ArrayBuffer>,
  shape: readonly number[],
  strides: readonly number[],
  itemSize: number,
): Uint8Array<ArrayBuffer> {
  const result = new Uint8Array(elementCount(shape) * itemSize);
  const words = itemSize === 8 ? 4 : itemSize; // doubles go as two halves
  const halves = itemSize / words;
  const from = wordsOf(bytes, words);
  const to = wordsOf(result, words);
  const index = new Array<number>(shape.length).fill(0);
  const inner = shape.at(-1)!;
  const step = strides.at(-1)! * halves;
  let source = 0;
  for (let target = 0; target < to.length; ) {
    for (let i = 0, at = source; i < inner; i++, at += step) {
      for (let half = 0; half < halves; half++) to[target++] = from[at + half]!;
    }
    for (let axis = shape.length - 2; axis >= 0; axis--) {
      source += strides[axis]! * halves;
      if (++index[axis]! < shape[axis]!) break;
      source -= shape[axis]! * strides[axis]! * halves;
      index[axis] = 0;
    }
  }
  return result;
}

function wordsOf(bytes: Uint8Array<ArrayBuffer>, size: number): Uint8Array | Uint16Array | Uint32Array {
  const aligned = bytes.byteOffset % size === 0 ? bytes : new Uint8Array(bytes);
  const count = Math.floor(aligned.byteLength / size);
  if (size === 1) return aligned;
  const Words = size === 2 ? Uint16Array : Uint32Array;
  return new Words(aligned.buffer, aligned.byteOffset, count);
}

function swapBytes(bytes: Uint8Array, size: number): void {
  if (size === 1) return;
  for (let at = 0; at < bytes.length; at += size) bytes.subarray(at, at + size).reverse();
}

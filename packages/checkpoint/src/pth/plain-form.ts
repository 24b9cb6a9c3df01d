import { type ByteSource, bytesSource } from '../byte-source.ts';
import { malformed, refuse } from '../refuse.ts';
import type { TensorEntry, TensorSource } from '../tensor-source.ts';
import { findTensors } from './flatten.ts';
import { unpickle } from './pickle/machine.ts';
import { NumpyArray, NumpyOther, type PickleValue, StorageRef, TensorRef } from './pickle/values.ts';
import { plainStorage, type StorageBytes } from './storage.ts';
import { textsOf } from './texts.ts';
import { viewEntry } from './view.ts';

const MAX_BYTES = 2 ** 30;

/**
 * Opens a pickle of numpy arrays, as detectron2 publishes weights (`.pkl`). The arrays lie inside the pickle, so the file
 * is read whole; they are views of it, not copies.
 */
export async function openPlainForm(source: ByteSource): Promise<TensorSource> {
  if (source.size > MAX_BYTES) {
    refuse('BUDGET_EXCEEDED', source.name, 'byte 0', 'the pickle is too large', {
      expected: `at most ${MAX_BYTES} bytes`,
    });
  }
  const bytes = await source.read(0, source.size);
  const { value, end } = unpickle(bytes, 0, { where: source.name });
  if (end !== source.size) {
    malformed(source.name, `byte ${end}`, 'bytes after the end of the pickle', { found: `${source.size - end} bytes` });
  }
  const storages = new Map<StorageRef, StorageBytes>();
  const tensors = new Map<string, TensorEntry>();
  for (const { name, path, tensor } of findTensors(value, source.name, (found) => arrayTensor(found, storages))) {
    tensors.set(name, viewEntry(name, path, tensor, storages.get(tensor.storage)!));
  }
  if (tensors.size === 0) malformed(source.name, 'byte 0', 'a pickle without a tensor', { expected: 'a checkpoint' });
  return { name: source.name, format: 'pickle', tensors, metadata: textsOf(value), close: () => source.close() };
}

/** A numpy array of numbers as a tensor over a storage of its own. */
function arrayTensor(value: PickleValue, storages: Map<StorageRef, StorageBytes>): TensorRef | undefined {
  if (!(value instanceof NumpyArray)) return undefined;
  const { shape, type, data, columnMajor } = value;
  if (type instanceof NumpyOther) return undefined;
  const storage = new StorageRef('', type.dtype, data.byteLength);
  const memory = plainStorage(bytesSource(data), 0, data.byteLength);
  storages.set(storage, { ...memory, bigEndian: type.bigEndian });
  return new TensorRef(storage, type.dtype, 0, shape, stridesOf(shape, columnMajor));
}

function stridesOf(shape: readonly number[], columnMajor: boolean): number[] {
  const strides = new Array<number>(shape.length);
  let step = 1;
  for (let i = 0; i < shape.length; i++) {
    const axis = columnMajor ? i : shape.length - 1 - i;
    strides[axis] = step;
    step *= shape[axis]!;
  }
  return strides;
}

import { DTYPES } from '../dtypes.ts';
import { CHUNK_BYTES, type TensorEntry } from '../tensor-source.ts';

/** The same tensor with its last row first: other programs number the background last. */
export function lastRowFirst(entry: TensorEntry): TensorEntry {
  return changed(entry, entry.shape, (bytes) => {
    const row = bytes.byteLength / entry.shape[0]!;
    const result = new Uint8Array(bytes.byteLength);
    result.set(bytes.subarray(bytes.byteLength - row));
    result.set(bytes.subarray(0, bytes.byteLength - row), row);
    return result;
  });
}

/** The same tensor with rows of zeros before it, for a background that other programs leave out. */
export function zeroRowsBefore(entry: TensorEntry, rows: number): TensorEntry {
  const [count = 0, ...rest] = entry.shape;
  return changed(entry, [count + rows, ...rest], (bytes) => {
    const before = (bytes.byteLength / count) * rows;
    const result = new Uint8Array(before + bytes.byteLength);
    result.set(bytes, before);
    return result;
  });
}

/** A convolution over points, `[O, I, 1]`, as the dense layer that it is: `[O, I]`. */
export function denseOfPoints(entry: TensorEntry): TensorEntry {
  return entry.shape.length === 3 && entry.shape[2] === 1 ? { ...entry, shape: entry.shape.slice(0, 2) } : entry;
}

function changed(
  { name, dtype, read }: TensorEntry,
  shape: readonly number[],
  change: (bytes: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer>,
): TensorEntry {
  const readChanged = async (): Promise<Uint8Array<ArrayBuffer>> => change(await read());
  return {
    name,
    dtype,
    shape,
    byteLength: shape.reduce((product, side) => product * side, DTYPES[dtype].size),
    read: readChanged,
    async *chunks() {
      const bytes = await readChanged();
      for (let at = 0; at < bytes.byteLength; at += CHUNK_BYTES) yield bytes.slice(at, at + CHUNK_BYTES);
    },
  };
}

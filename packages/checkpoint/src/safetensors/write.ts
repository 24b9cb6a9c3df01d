import { RcnnError, shortened } from '@rcnn/core/errors';
import { DTYPES } from '../dtypes.ts';
import type { TensorEntry } from '../tensor-source.ts';

/** A file in the making: its size, and its bytes in order. */
export interface FileContents {
  readonly byteLength: number;
  chunks(): AsyncIterable<Uint8Array>;
}

/**
 * Lays tensors out as a safetensors file, in the order given, wide types first so that every tensor is aligned.
 * Nothing is read before `chunks()` is.
 * @throws INVALID_ARGUMENT when two tensors have one name
 */
export function safetensorsFile(
  tensors: Iterable<TensorEntry>,
  metadata: Readonly<Record<string, string>> = {},
): FileContents {
  const sorted = alignedOrder(tensors);
  const header = safetensorsHeader(sorted, metadata);
  return {
    byteLength: header.byteLength + sorted.reduce((sum, { byteLength }) => sum + byteLength, 0),
    async *chunks() {
      yield header;
      for (const tensor of sorted) yield* wholeTensor(tensor);
    },
  };
}

/** Wide element types first: with a header of a multiple of 8 bytes, every tensor begins at a multiple of its type. */
export function alignedOrder(tensors: Iterable<TensorEntry>): TensorEntry[] {
  return [...tensors].sort((a, b) => DTYPES[b.dtype].size - DTYPES[a.dtype].size);
}

/** The first bytes of a safetensors file: the length field and the JSON header, padded to a multiple of 8. */
export function safetensorsHeader(
  tensors: readonly TensorEntry[],
  metadata: Readonly<Record<string, string>>,
): Uint8Array<ArrayBuffer> {
  const fields: string[] = [];
  if (Object.keys(metadata).length > 0) fields.push(`"__metadata__":${JSON.stringify(metadata)}`);
  for (const text of [...Object.entries(metadata).flat(), ...tensors.map(({ name }) => name)]) refuseHalf(text);
  const names = new Set<string>(['__metadata__']);
  let at = 0;
  for (const { name, dtype, shape, byteLength } of tensors) {
    if (names.has(name)) {
      throw new RcnnError('INVALID_ARGUMENT', {
        where: 'safetensorsFile',
        place: name,
        problem: 'a tensor with this name is there already',
      });
    }
    names.add(name);
    const description = { dtype: DTYPES[dtype].code, shape, data_offsets: [at, at + byteLength] };
    fields.push(`${JSON.stringify(name)}:${JSON.stringify(description)}`);
    at += byteLength;
  }
  const json = new TextEncoder().encode(`{${fields.join(',')}}`);
  const padded = Math.ceil(json.byteLength / 8) * 8;
  const header = new Uint8Array(8 + padded).fill(0x20);
  new DataView(header.buffer).setBigUint64(0, BigInt(padded), true);
  header.set(json, 8);
  return header;
}

/** A text with half a character has no bytes: nobody could read the file. @throws INVALID_ARGUMENT */
function refuseHalf(text: string): void {
  if (!/\p{Cs}/u.test(text)) return;
  throw new RcnnError('INVALID_ARGUMENT', {
    where: 'safetensorsFile',
    place: shortened(text),
    problem: 'this text has half a character (a lone surrogate)',
  });
}

/** The chunks of a tensor; a source that gives too much or too little is an error, not a broken file. */
async function* wholeTensor(tensor: TensorEntry): AsyncGenerator<Uint8Array> {
  let given = 0;
  for await (const chunk of tensor.chunks()) {
    given += chunk.byteLength;
    yield chunk;
  }
  if (given !== tensor.byteLength) {
    throw new RcnnError('SHAPE_MISMATCH', {
      where: 'safetensorsFile',
      place: tensor.name,
      problem: 'the tensor gave another number of bytes than it has',
      found: String(given),
      expected: String(tensor.byteLength),
    });
  }
}

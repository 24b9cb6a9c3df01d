import { RcnnError } from '@rcnn/core/errors';
import type { TensorEntry } from '../tensor-source.ts';
import { decodeFloats } from './decode.ts';

/**
 * The numbers of a tensor, whatever type it is stored in: row-major in the order of its `shape`, as float32. Integers of
 * 64 bits are rounded; `read()` has them bit by bit.
 * @throws CHECKPOINT_MISMATCH for types that have no plain numbers, and what reading throws
 */
export async function readNumbers({
  name,
  dtype,
  read,
}: Pick<TensorEntry, 'name' | 'dtype' | 'read'>): Promise<Float32Array<ArrayBuffer>> {
  const numbers = decodeFloats(await read(), dtype);
  if (numbers !== null) return numbers;
  throw new RcnnError('CHECKPOINT_MISMATCH', {
    where: 'readNumbers',
    place: name,
    problem: 'a tensor of this type has no plain numbers',
    found: dtype,
    expected: 'floats or integers',
    hint: 'read() gives its bytes.',
  });
}

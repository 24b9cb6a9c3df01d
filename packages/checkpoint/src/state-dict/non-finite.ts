import type { TensorEntry } from '../tensor-source.ts';
import { countNonFinite, decodeFloats } from './decode.ts';

/** A tensor with numbers that are NaN or infinite, and how many. */
export interface NonFiniteTensor {
  readonly name: string;
  readonly count: number;
}

/** The tensors of a file that no model can be given: reads each once. */
export async function nonFiniteTensors(tensors: Iterable<TensorEntry>): Promise<readonly NonFiniteTensor[]> {
  const found: NonFiniteTensor[] = [];
  for (const { name, dtype, read } of tensors) {
    if (!dtype.includes('float')) continue;
    const numbers = decodeFloats(await read(), dtype);
    const count = numbers === null ? 0 : countNonFinite(numbers);
    if (count > 0) found.push({ name, count });
  }
  return found;
}

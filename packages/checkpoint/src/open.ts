import { RcnnError } from '@rcnn/core/errors';
import type { ByteSource } from './byte-source.ts';
import type { Hashing } from './hashing.ts';
import { openSafetensors } from './safetensors/read.ts';
import type { TensorSource } from './tensor-source.ts';

export interface OpenOptions {
  /** Faster checksums than the portable ones. */
  readonly hashing?: Hashing;
}

/**
 * Opens the tensors of a file of any format that we read, told apart by its first bytes: safetensors, PyTorch's zip
 * form, PyTorch's legacy form. Closing the result closes `source`; so does an error.
 * @throws FILE_MALFORMED, FILE_TRUNCATED, FILE_REFUSED, BUDGET_EXCEEDED
 */
export async function openTensors(source: ByteSource, options: OpenOptions = {}): Promise<TensorSource> {
  try {
    return await open(source, options);
  } catch (error) {
    await source.close();
    throw error;
  }
}

async function open(source: ByteSource, _options: OpenOptions): Promise<TensorSource> {
  const head = await source.read(0, Math.min(source.size, 16));
  if (head[8] === 0x7b) return openSafetensors(source);
  throw new RcnnError('FILE_MALFORMED', {
    where: source.name,
    problem: 'not a checkpoint that we know',
    found: `a file that begins with ${[...head].map((byte) => byte.toString(16).padStart(2, '0')).join(' ')}`,
    expected: 'safetensors, or a .pth of PyTorch',
  });
}

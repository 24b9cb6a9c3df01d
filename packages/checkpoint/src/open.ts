import { RcnnError } from '@rcnn/core/errors';
import type { ByteSource } from './byte-source.ts';
import { type Hashing, webHashing } from './hashing.ts';
import { refuseOtherFile, refuseTar } from './other-files.ts';
import { isLegacyForm, openLegacyForm } from './pth/legacy-form.ts';
import { openPlainForm } from './pth/plain-form.ts';
import { openZipForm } from './pth/zip-form.ts';
import { openSafetensors } from './safetensors/read.ts';
import type { TensorSource } from './tensor-source.ts';

export interface OpenOptions {
  /** Faster checksums than the portable ones. */
  readonly hashing?: Hashing;
}

/**
 * Opens the tensors of a file of any format that we read, told apart by its first bytes: safetensors, PyTorch's zip
 * form, PyTorch's legacy form, a pickle of numpy arrays. Closing the result closes `source`; so does an error.
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

async function open(source: ByteSource, { hashing = webHashing }: OpenOptions): Promise<TensorSource> {
  if (source.size === 0) {
    const hint = 'Copy or download it again.';
    throw new RcnnError('FILE_TRUNCATED', { where: source.name, problem: 'the file is empty', hint });
  }
  const head = await source.read(0, Math.min(source.size, 512));
  // First, because its length field may look like the beginning of anything; no other form has '{' there.
  if (head[8] === 0x7b) return openSafetensors(source);
  if (startsWith(head, 0, [0x50, 0x4b])) return openZipForm(source, hashing);
  if (startsWith(head, 0, [0x80]) && head[1]! <= 5) {
    return isLegacyForm(head) ? openLegacyForm(source) : openPlainForm(source);
  }
  if (startsWith(head, 257, [0x75, 0x73, 0x74, 0x61, 0x72])) refuseTar(head, source.name);
  return refuseOtherFile(head, source.name);
}

function startsWith(bytes: Uint8Array, at: number, magic: readonly number[]): boolean {
  return magic.every((byte, i) => bytes[at + i] === byte);
}

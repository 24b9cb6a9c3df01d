import { quoteName } from '@rcnn/core/errors';
import type { ByteSource } from '../byte-source.ts';
import { refuse } from '../refuse.ts';
import type { TensorEntry } from '../tensor-source.ts';
import { findTensors } from './flatten.ts';
import type { PickleValue } from './pickle/values.ts';
import type { StorageBytes } from './storage.ts';
import { touchedBytes, viewEntry } from './view.ts';

/** All tensors together may show so many times the bytes of the file: shared weights do, two or three times. */
const MAX_SHARING = 16;
const FREE_BYTES: number = 64 << 20;

/**
 * The tensors of an unpickled object as entries, by name.
 * @throws what {@link findTensors} throws; BUDGET_EXCEEDED when many tensors show the same bytes over and over
 */
export function tensorEntries(
  root: PickleValue,
  storages: ReadonlyMap<string, StorageBytes>,
  source: ByteSource,
): Map<string, TensorEntry> {
  const limit = MAX_SHARING * source.size + FREE_BYTES;
  const entries = new Map<string, TensorEntry>();
  let touched = 0;
  for (const { name, path, tensor } of findTensors(root, source.name)) {
    touched += touchedBytes(tensor);
    if (touched > limit) {
      refuse('BUDGET_EXCEEDED', source.name, `tensor ${quoteName(name)}`, 'the tensors share their bytes too often', {
        found: `more than ${limit} bytes of tensors`,
        expected: `at most ${MAX_SHARING} times the file`,
      });
    }
    entries.set(name, viewEntry(name, path, tensor, storages.get(tensor.storage.key)!));
  }
  return entries;
}

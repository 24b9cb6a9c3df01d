import { isRcnnError, quoteName } from '@rcnn/core/errors';
import { type ByteSource, checkRange } from '../byte-source.ts';
import { DTYPES } from '../dtypes.ts';
import { malformed, refuse } from '../refuse.ts';
import type { TensorSource } from '../tensor-source.ts';
import { tensorEntries } from './entries.ts';
import { unpickle } from './pickle/machine.ts';
import { PickleDict, PickleList, PickleProblem, PickleTuple, type PickleValue, StorageRef } from './pickle/values.ts';
import { plainStorage, type StorageBytes } from './storage.ts';
import { textsOf } from './texts.ts';
import { parseStorageId } from './zip-form.ts';

/** PyTorch's magic number, as the first pickle of the file. */
const MAGIC = 0x1950a86a20f9469cfc6cn;
const MAGIC_BYTES = '8a0a6cfc9c46f9206aa85019';
const PROTOCOL = 1001;
const FIRST_WINDOW = 1 << 20;
const MAX_WINDOW = 64 << 20;

/**
 * Opens a `.pth` as PyTorch wrote them before 1.6 (and still does when asked): five pickles (magic number, protocol,
 * system, the object, the keys of its storages), then each storage as a count and its bytes. Many published files are
 * like this. Reads the pickles and the counts, no tensor.
 */
export async function openLegacyForm(source: ByteSource): Promise<TensorSource> {
  const { root, keys, referenced, end } = await readPickles(source);
  const storages = await locateStorages(source, end, keys, referenced);
  const tensors = tensorEntries(root, storages, source);
  return { name: source.name, format: 'pth-legacy', tensors, metadata: textsOf(root), close: () => source.close() };
}

interface Pickles {
  readonly root: PickleValue;
  readonly keys: readonly string[];
  /** Bytes per element of each storage that the object refers to, and how many elements it says there are. */
  readonly referenced: ReadonlyMap<string, { readonly itemSize: number; readonly count: number }>;
  readonly end: number;
}

/** Nothing says how long the pickles are: reads a window, and a larger one when it was too small. */
async function readPickles(source: ByteSource): Promise<Pickles> {
  for (let window = FIRST_WINDOW; ; window *= 8) {
    const length = Math.min(window, source.size, MAX_WINDOW);
    const bytes = await source.read(0, length);
    try {
      return parsePickles(bytes, source.name);
    } catch (error) {
      if (!isRcnnError(error, 'FILE_TRUNCATED') || length === source.size) throw error;
      if (length === MAX_WINDOW) {
        refuse('BUDGET_EXCEEDED', source.name, `byte ${MAX_WINDOW}`, 'the pickle is too large', {
          expected: `at most ${MAX_WINDOW} bytes`,
        });
      }
    }
  }
}

function parsePickles(bytes: Uint8Array, where: string): Pickles {
  const referenced = new Map<string, { itemSize: number; count: number }>();
  const persistent = (id: PickleValue): StorageRef => {
    const { key, dtype, count, view } = parseStorageId(id);
    const itemSize = dtype === null ? 1 : DTYPES[dtype].size;
    const before = referenced.get(key);
    if (before !== undefined && (before.itemSize !== itemSize || before.count !== count)) {
      throw new PickleProblem(`storage ${quoteName(key)} is described in two ways`);
    }
    referenced.set(key, { itemSize, count });
    return viewOfStorage(new StorageRef(key, dtype, count * itemSize), view, itemSize);
  };
  let at = 0;
  const next = (part: string): PickleValue => {
    const { value, end } = unpickle(bytes, at, { where, part: `${part}, `, persistent });
    at = end;
    return value;
  };
  if (next('magic number') !== MAGIC) malformed(where, 'byte 0', 'not the magic number of PyTorch');
  const protocol = next('protocol');
  if (protocol !== PROTOCOL)
    malformed(where, 'protocol', 'an unknown protocol', {
      found: String(protocol),
      expected: String(PROTOCOL),
    });
  if (!(next('system') instanceof PickleDict)) malformed(where, 'system', 'not a dict');
  const root = next('object');
  const list = next('storage keys');
  const keys = list instanceof PickleList ? list.items : [];
  if (!(list instanceof PickleList) || !keys.every((key) => typeof key === 'string')) {
    malformed(where, 'storage keys', 'not a list of names');
  }
  return { root, keys: keys as string[], referenced, end: at };
}

/** Files of PyTorch before 0.4 could refer to a part of a storage: `(key, offset, size)` in elements. */
function viewOfStorage(storage: StorageRef, view: PickleValue, itemSize: number): StorageRef {
  if (view === null) return storage;
  const [, offset, size] = view instanceof PickleTuple ? view.items : [];
  const isCount = (n: unknown): n is number => Number.isSafeInteger(n) && (n as number) >= 0;
  if (!isCount(offset) || !isCount(size) || (offset + size) * itemSize > storage.byteLength) {
    throw new PickleProblem(`a view that reaches outside of storage ${quoteName(storage.key)}`);
  }
  return new StorageRef(storage.key, storage.dtype, size * itemSize, offset * itemSize);
}

async function locateStorages(
  source: ByteSource,
  start: number,
  keys: readonly string[],
  referenced: Pickles['referenced'],
): Promise<Map<string, StorageBytes>> {
  const storages = new Map<string, StorageBytes>();
  let at = start;
  for (const key of keys) {
    const place = `storage ${quoteName(key)}, byte ${at}`;
    const known = referenced.get(key);
    if (known === undefined || storages.has(key))
      malformed(source.name, place, 'a storage that nothing refers to, or twice');
    checkRange(source, at, 8);
    const count = Number(new DataView((await source.read(at, 8)).buffer).getBigUint64(0, true));
    if (count !== known.count) {
      malformed(source.name, place, 'another size than the object says', {
        found: String(count),
        expected: `${known.count} elements`,
      });
    }
    checkRange(source, at + 8, count * known.itemSize);
    storages.set(key, plainStorage(source, at + 8, count * known.itemSize));
    at += 8 + count * known.itemSize;
  }
  for (const key of referenced.keys()) {
    if (!storages.has(key)) malformed(source.name, `storage ${quoteName(key)}`, 'it is not in the file');
  }
  if (at !== source.size) {
    malformed(source.name, `byte ${at}`, 'bytes after the last storage', { found: `${source.size - at} bytes` });
  }
  return storages;
}

/** Whether a pickle begins with PyTorch's magic number: right behind its protocol, and a frame in later ones. */
export function isLegacyForm(head: Uint8Array): boolean {
  const digits = [...head.subarray(0, 32)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  return digits.indexOf(MAGIC_BYTES) % 2 === 0;
}

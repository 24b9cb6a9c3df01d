import { quoteName, RcnnError } from '@rcnn/core/errors';
import type { ByteSource } from '../byte-source.ts';
import { DTYPES } from '../dtypes.ts';
import type { Hashing } from '../hashing.ts';
import { refuseOtherZip } from '../other-files.ts';
import type { TensorSource } from '../tensor-source.ts';
import { tensorEntries } from './entries.ts';
import { unpickle } from './pickle/machine.ts';
import { Global, PickleProblem, PickleTuple, type PickleValue, StorageRef } from './pickle/values.ts';
import { checkedStorage, type StorageBytes } from './storage.ts';
import { textsOf } from './texts.ts';
import { readZipDirectory, readZipNames, type ZipEntry } from './zip.ts';

const MAX_PICKLE_BYTES = 64 << 20;

/**
 * Opens a `.pth` as PyTorch has written them since 1.6: a zip archive of `data.pkl` and one record per storage.
 * Reads the directory and the pickle, no tensor.
 */
export async function openZipForm(source: ByteSource, hashing: Hashing): Promise<TensorSource> {
  refuseOtherZip(await readZipNames(source), source.name);
  const entries = await readZipDirectory(source);
  const root = findRoot(entries, source.name);
  const bigEndian = await isBigEndian(source, entries.get(`${root}/byteorder`));
  const storages = new Map<string, StorageBytes>();
  const persistent = (id: PickleValue): StorageRef => {
    const { key, dtype, count } = parseStorageId(id);
    const entry = entries.get(`${root}/data/${key}`);
    if (entry === undefined) throw new PickleProblem(`storage ${quoteName(key)} is not in the archive`);
    const byteLength = count * (dtype === null ? 1 : DTYPES[dtype].size);
    if (entry.size !== byteLength) {
      throw new PickleProblem(`storage ${quoteName(key)} has ${entry.size} bytes, not ${byteLength}`);
    }
    if (!storages.has(key)) storages.set(key, checkedStorage(source, entry, hashing, bigEndian));
    return new StorageRef(key, dtype, byteLength);
  };
  const pickle = entries.get(`${root}/data.pkl`)!;
  const { value, end } = unpickle(await readPickle(source, pickle, hashing), 0, {
    where: source.name,
    part: 'data.pkl, ',
    persistent,
  });
  if (end !== pickle.size) {
    throw new RcnnError('FILE_MALFORMED', {
      where: source.name,
      place: `data.pkl, byte ${end}`,
      problem: 'bytes after the end of the pickle',
      found: `${pickle.size - end} bytes`,
    });
  }
  const tensors = tensorEntries(value, storages, source);
  return { name: source.name, format: 'pth', tensors, metadata: textsOf(value), close: () => source.close() };
}

/** The one folder of the archive, known by its `data.pkl`. */
function findRoot(entries: ReadonlyMap<string, ZipEntry>, where: string): string {
  const roots = [...entries.keys()].filter((name) => /^[^/]+\/data\.pkl$/.test(name)).map((name) => name.slice(0, -9));
  const [root] = roots;
  if (root === undefined || roots.length > 1) {
    throw new RcnnError('FILE_MALFORMED', {
      where,
      problem: 'not a checkpoint of PyTorch',
      found: `a zip archive with ${roots.length} data.pkl`,
      expected: 'one',
    });
  }
  return root;
}

async function isBigEndian(source: ByteSource, entry: ZipEntry | undefined): Promise<boolean> {
  if (entry === undefined) return false;
  const order = new TextDecoder().decode(await source.read(entry.offset, Math.min(entry.size, 16)));
  if (order === 'little' || order === 'big') return order === 'big';
  throw new RcnnError('FILE_MALFORMED', {
    where: source.name,
    place: `entry ${quoteName(entry.name)}`,
    problem: 'unknown byte order',
    found: quoteName(order),
    expected: 'little or big',
  });
}

async function readPickle(source: ByteSource, entry: ZipEntry, hashing: Hashing): Promise<Uint8Array> {
  if (entry.size > MAX_PICKLE_BYTES) {
    throw new RcnnError('BUDGET_EXCEEDED', {
      where: source.name,
      place: 'data.pkl',
      problem: 'the pickle is too large',
      found: `${entry.size} bytes`,
      expected: `at most ${MAX_PICKLE_BYTES}`,
    });
  }
  return checkedStorage(source, entry, hashing, false).read(0, entry.size);
}

/** A reference to a storage: `('storage', type, key, location, count[, view])`. Both forms have it. */
export function parseStorageId(id: PickleValue): {
  readonly key: string;
  readonly dtype: StorageRef['dtype'];
  readonly count: number;
  readonly view: PickleValue;
} {
  const items = id instanceof PickleTuple ? id.items : [];
  const [kind, type, key, , count, view = null] = items;
  if (kind === 'module')
    throw new PickleProblem('a whole pickled module; save its state_dict() instead', 'FILE_REFUSED');
  const isStorage = kind === 'storage' && type instanceof Global && type.dtype !== undefined;
  if (!isStorage || typeof key !== 'string' || typeof count !== 'number' || !Number.isSafeInteger(count) || count < 0) {
    throw new PickleProblem('a reference that is not to a storage');
  }
  return { key, dtype: type.dtype, count, view };
}

import { memorySource, type TensorEntry, type TensorSource } from '../tensor-source.ts';

/** Keys under which training programs put the model beside optimiser and schedule, likeliest first. */
const WRAPPERS = ['model', 'state_dict', 'model_state_dict', 'net', 'weights'];
/** DataParallel puts this before every name. */
const PARALLEL = 'module.';

/** The key of a nested file under which the model lies; undefined for a flat file. */
export function modelKey(source: TensorSource): string | undefined {
  const nested = [...source.tensors.values()].filter(({ path }) => path !== undefined && path.length > 1);
  const keys = new Set(nested.map(({ path }) => path![0]));
  return WRAPPERS.find((key) => keys.has(key));
}

/**
 * The model's tensors in a file that may hold more: what lies under `model` or `state_dict` in a nested file, without
 * the `module.` of DataParallel. A flat file is given back as it is. The result shares the file: close that one.
 */
export function modelTensors(source: TensorSource): TensorSource {
  const all = [...source.tensors.values()];
  const key = modelKey(source);
  let entries = all;
  if (key !== undefined) {
    entries = all
      .filter(({ path }) => path?.[0] === key)
      .map((entry) => renamed(entry, entry.name.slice(key.length + 1)));
  }
  if (entries.length > 0 && entries.every(({ name }) => name.startsWith(PARALLEL))) {
    entries = entries.map((entry) => renamed(entry, entry.name.slice(PARALLEL.length)));
  }
  if (entries === all) return source;
  return {
    ...memorySource(entries, source.name),
    format: source.format,
    metadata: source.metadata,
    close: () => source.close(),
  };
}

/** The same tensor under another name. */
export function renamed(entry: TensorEntry, name: string): TensorEntry {
  const { path: _, ...rest } = entry;
  return { ...rest, name };
}

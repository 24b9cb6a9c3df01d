import { RcnnError } from '@rcnn/core/errors';
import { memorySource, type TensorEntry, type TensorSource } from '../tensor-source.ts';

export interface SelectOptions {
  /** Take the moving average of the weights that some programs save beside them. Default false. */
  readonly ema?: boolean | undefined;
}

/** Keys under which training programs put the model beside optimizer and schedule, likeliest first. */
const WRAPPERS = ['model', 'state_dict', 'model_state_dict', 'net', 'weights'];
/** Keys of averaged weights: timm's, mmdetection's and YOLO's, Hugging Face's. */
const AVERAGES = ['model_ema', 'state_dict_ema', 'ema_state_dict', 'ema'];
/** What wrappers put before every name: DataParallel, torch.compile, Lightning; in any order, and more than once. */
const PREFIXES = ['module.', '_orig_mod.', 'model.'];
/** What lies beside the weights in the state of a wrapper, and is no weight. */
const BESIDE = /^(n_averaged|model_ema\..*|ema\..*|ema_model\..*)$/;

/** The key of a nested file under which the model lies; undefined for a flat file. */
export function modelKey(source: TensorSource, { ema = false }: SelectOptions = {}): string | undefined {
  const keys = new Set<string>();
  for (const { path } of source.tensors.values()) if (path !== undefined && path.length > 1) keys.add(path[0]!);
  return (ema ? AVERAGES : WRAPPERS).find((key) => keys.has(key));
}

/**
 * The model's tensors in a file that may hold more: what lies under `model` or `state_dict` in a nested file, without
 * the prefixes of wrappers (`module._orig_mod.`, Lightning's `model.`). A flat file is given back as it is. The result
 * shares the file: close that one.
 * @throws CHECKPOINT_MISMATCH when the file has no averaged weights, or nothing else
 */
export function modelTensors(source: TensorSource, options: SelectOptions = {}): TensorSource {
  const all = [...source.tensors.values()];
  const picked = options.ema === true ? averaged(source, all) : withoutWrapper(source, all);
  const entries = withoutPrefixes(picked);
  if (entries === all) return source;
  return {
    ...memorySource(entries, source.name),
    format: source.format,
    metadata: source.metadata,
    close: () => source.close(),
  };
}

function withoutWrapper(source: TensorSource, all: TensorEntry[]): TensorEntry[] {
  const key = modelKey(source);
  if (key !== undefined) return under(all, key);
  const average = modelKey(source, { ema: true });
  if (average !== undefined) {
    throw new RcnnError('CHECKPOINT_MISMATCH', {
      where: source.name,
      problem: 'the file holds averaged weights alone',
      found: `tensors under '${average}'`,
      hint: 'If you want these: `ema: true`, or mask-rcnn convert --moving-average.',
    });
  }
  return all;
}

function averaged(source: TensorSource, all: TensorEntry[]): TensorEntry[] {
  const key = modelKey(source, { ema: true });
  if (key !== undefined) return under(all, key);
  // Flat states keep them under a name of their own, beside those of the model.
  const wrapper = modelKey(source);
  const names = wrapper === undefined ? all : under(all, wrapper);
  for (const average of ['model_ema.', 'ema_model.', 'ema.']) {
    const found = names.filter(({ name }) => name.startsWith(average));
    if (found.length > 0) return found.map((entry) => renamed(entry, entry.name.slice(average.length)));
  }
  // AveragedModel of PyTorch counts its updates beside the weights, which are averages themselves.
  if (names.some(({ name }) => name === 'n_averaged')) return names;
  throw new RcnnError('CHECKPOINT_MISMATCH', {
    where: source.name,
    problem: 'the file has no averaged weights',
    expected: `tensors under ${AVERAGES.join(', ')}`,
  });
}

function under(entries: readonly TensorEntry[], key: string): TensorEntry[] {
  return entries
    .filter(({ path }) => path?.[0] === key)
    .map((entry) => renamed(entry, entry.name.slice(key.length + 1)));
}

/** Takes off every prefix that all weights have, until none has one. */
function withoutPrefixes(all: TensorEntry[]): TensorEntry[] {
  let entries = all;
  for (;;) {
    const weights = entries.filter(({ name }) => !BESIDE.test(name));
    const prefix = PREFIXES.find((start) => weights.length > 0 && weights.every(({ name }) => name.startsWith(start)));
    if (prefix === undefined) return entries.length > weights.length && entries !== all ? weights : entries;
    entries = weights.map((entry) => renamed(entry, entry.name.slice(prefix.length)));
  }
}

/** The same tensor under another name. */
export function renamed(entry: TensorEntry, name: string): TensorEntry {
  const { path: _, ...rest } = entry;
  return { ...rest, name };
}

import { counted, RcnnError } from '@rcnn/core/errors';
import { memorySource, type TensorEntry, type TensorSource } from '../tensor-source.ts';
import { modelRoots } from './roots.ts';

export interface SelectOptions {
  /** Take the moving average of the weights that some programs save beside them. Default false. */
  readonly ema?: boolean | undefined;
}

/** Keys under which training programs put the model beside optimizer and schedule, likeliest first. */
const WRAPPERS = [
  'model',
  'state_dict',
  'model_state_dict',
  'model_state',
  'net',
  'network',
  'weights',
  'params',
  'module',
];
/** Keys of averaged weights: timm's, mmdetection's and YOLO's, Hugging Face's. */
const AVERAGES = ['model_ema', 'state_dict_ema', 'ema_state_dict', 'ema_model', 'params_ema', 'ema'];
/** What wrappers put before every name: DataParallel, torch.compile, Lightning; in any order, and more than once. */
const PREFIXES = ['module.', '_orig_mod.', 'model.'];
/** What lies beside the weights in the state of a wrapper, and is no weight of the model itself. */
const BESIDE = /^(n_averaged|(?:model_ema|ema|ema_model|averaged_model)\..*)$/;
/** Keys of what a training program keeps for itself. */
const OF_TRAINING =
  /^(optimizers?|optim|optimizer_states?|optimizer_state_dict|(?:lr_)?schedulers?|scaler|amp_scaler|callbacks|loops|rng|random_state)$/;

/** The key of a nested file under which the model lies; undefined for a flat file. */
function modelKey(source: TensorSource, { ema = false }: SelectOptions = {}): string | undefined {
  const keys = new Set<string>();
  for (const { path } of source.tensors.values()) if (path !== undefined && path.length > 1) keys.add(path[0]!);
  return (ema ? AVERAGES : WRAPPERS).find((key) => keys.has(key));
}

/**
 * Whether the model itself is the average. mmengine changes the two when it saves, so that `state_dict` is what should be
 * used, and `ema_state_dict` the weights that the training goes on with.
 */
function isAverageItself({ tensors, metadata }: TensorSource): boolean {
  if (!metadata.has('meta.mmengine_version')) return false;
  const keys = new Set([...tensors.values()].map(({ path }) => path?.[0]));
  return keys.has('state_dict') && keys.has('ema_state_dict');
}

/** A tensor of a model under the model's own name, and what it is called in the file. */
interface Selected {
  readonly entry: TensorEntry;
  readonly from: string;
}

/**
 * The model's tensors in a file that may hold more: what lies under `model` or `state_dict` in a nested file, without
 * the prefixes of wrappers (`module._orig_mod.`, Lightning's `model.`). A flat file is given back as it is. The result
 * shares the file: close that one.
 * @throws CHECKPOINT_MISMATCH when the file has no averaged weights, or nothing else, or no model
 */
export function modelTensors(source: TensorSource, options: SelectOptions = {}): TensorSource {
  const selected = select(source, options);
  if (selected.length === source.tensors.size && selected.every(({ entry, from }) => entry.name === from))
    return source;
  return {
    ...memorySource(
      selected.map(({ entry }) => entry),
      source.name,
    ),
    format: source.format,
    metadata: source.metadata,
    close: () => source.close(),
  };
}

/** Names of the file's tensors that {@link modelTensors} leaves out. @throws what that throws */
export function leftOut(source: TensorSource, options: SelectOptions = {}): readonly string[] {
  const taken = new Set(select(source, options).map(({ from }) => from));
  return [...source.tensors.keys()].filter((name) => !taken.has(name));
}

/**
 * What somebody who loads a file should be told of what lies beside its model: that there are averaged weights too,
 * and which tensors belong to no model. In sentences; none for most files.
 */
export function besideModel(source: TensorSource): readonly string[] {
  const others = leftOut(source).filter((name) => !isOfTraining(source, name));
  const key = modelKey(source, { ema: true });
  const averages = others.filter((name) => (key !== undefined && name.startsWith(`${key}.`)) || isAverage(name));
  const strange = others.filter((name) => !averages.includes(name) && name !== 'n_averaged');
  const sentences: string[] = [];
  if (isAverageItself(source)) {
    sentences.push(
      `its weights are moving averages already, as mmengine saves them; the ${counted(averages.length, 'tensor')} under '${key}' that the training goes on with are not taken`,
    );
  } else if (averages.some((name) => !name.endsWith('n_averaged'))) {
    sentences.push(
      `it holds ${counted(averages.length, 'tensor')} of averaged weights too, which are not taken; 'mask-rcnn convert IN OUT.safetensors --moving-average' takes them`,
    );
  }
  if (strange.length > 0) {
    const shown = strange.slice(0, 3).join(', ');
    sentences.push(
      `${counted(strange.length, 'tensor')} beside the model left out: ${shown}${strange.length > 3 ? ', …' : ''}`,
    );
  }
  return sentences;
}

/** Whether a name, at any depth, says that the tensor is one of averaged weights. */
function isAverage(name: string): boolean {
  return /(?:^|\.)(?:model_ema|state_dict_ema|ema_state_dict|ema_model|averaged_model|params_ema|ema)\./.test(name);
}

function isOfTraining({ tensors }: TensorSource, name: string): boolean {
  const [key = ''] = tensors.get(name)?.path ?? [];
  return OF_TRAINING.test(key);
}

function select(source: TensorSource, options: SelectOptions): readonly Selected[] {
  const all = [...source.tensors.values()].map((entry) => ({ entry, from: entry.name }));
  const picked = options.ema === true ? averaged(source, all) : withoutWrapper(source, all);
  const selected = withoutPrefixes(picked);
  requireModel(source, selected);
  return selected;
}

function withoutWrapper(source: TensorSource, all: readonly Selected[]): readonly Selected[] {
  const key = modelKey(source);
  if (key !== undefined) return under(all, key);
  const average = modelKey(source, { ema: true });
  if (average === undefined) return all;
  const others = all.filter(({ entry }) => entry.path?.[0] !== average && !isOfTraining(source, entry.name));
  if (modelRoots(others.map(({ entry }) => entry.name)).length > 0) return others;
  throw new RcnnError('CHECKPOINT_MISMATCH', {
    where: source.name,
    problem: 'the file holds averaged weights alone',
    found: `tensors under '${average}'`,
    hint: 'If you want these: mask-rcnn convert IN OUT.safetensors --moving-average (`ema: true` in TypeScript).',
  });
}

function averaged(source: TensorSource, all: readonly Selected[]): readonly Selected[] {
  if (isAverageItself(source)) return under(all, 'state_dict');
  const key = modelKey(source, { ema: true });
  if (key !== undefined) return under(all, key);
  // Flat states keep them under a name of their own, beside those of the model.
  const wrapper = modelKey(source);
  const own = wrapper === undefined ? all : under(all, wrapper);
  for (const average of ['model_ema.', 'ema_model.', 'averaged_model.', 'ema.']) {
    const found = own.filter(({ entry }) => entry.name.startsWith(average));
    if (found.length > 0) return found.map((tensor) => without(tensor, average));
  }
  // AveragedModel of PyTorch counts its updates beside the weights, which are averages themselves.
  if (own.some(({ entry }) => entry.name === 'n_averaged')) return own;
  throw new RcnnError('CHECKPOINT_MISMATCH', {
    where: source.name,
    problem: 'the file has no averaged weights',
    expected: `tensors under ${AVERAGES.join(', ')}`,
  });
}

function under(tensors: readonly Selected[], key: string): Selected[] {
  return tensors.filter(({ entry }) => entry.path?.[0] === key).map((tensor) => without(tensor, `${key}.`));
}

/**
 * Takes off every prefix of a wrapper that all weights have, until none has one. Where that does not lead to a detector,
 * and one begins further down (`net.backbone.…` beside `loss.weight`), what lies there.
 */
function withoutPrefixes(all: readonly Selected[]): readonly Selected[] {
  let tensors = all;
  for (;;) {
    const weights = tensors.filter(({ entry }) => !BESIDE.test(entry.name));
    const names = weights.map(({ entry }) => entry.name);
    const shared = PREFIXES.find((start) => names.length > 0 && names.every((name) => name.startsWith(start)));
    const roots = shared === undefined ? modelRoots(names) : [];
    const prefix = shared ?? (roots.length === 1 && roots[0] !== '' ? roots[0] : undefined);
    if (prefix === undefined) return tensors.length > weights.length && tensors !== all ? weights : tensors;
    tensors = weights.filter(({ entry }) => entry.name.startsWith(prefix)).map((tensor) => without(tensor, prefix));
  }
}

/** @throws CHECKPOINT_MISMATCH for files without a tensor that a model could have */
function requireModel(source: TensorSource, selected: readonly Selected[]): void {
  const names = selected.map(({ entry }) => entry.name);
  const refuse = (problem: string, found: string): never => {
    const hint = 'Save the model: torch.save(model.state_dict(), FILE).';
    throw new RcnnError('CHECKPOINT_MISMATCH', { where: source.name, problem, found, hint });
  };
  if (names.length === 0) refuse('the file holds no weights', '0 tensors');
  if (selected.every(({ from }) => isOfTraining(source, from))) {
    refuse('the file holds no model', `what a training keeps beside it: ${names[0]}`);
  }
  if (names.every((name) => name === 'tensor' || /^\d+$/.test(name))) {
    refuse('the tensors have no names', `${counted(names.length, 'tensor')}, in a list or alone`);
  }
}

function without({ entry, from }: Selected, prefix: string): Selected {
  return { entry: renamed(entry, entry.name.slice(prefix.length)), from };
}

/** The same tensor under another name. */
export function renamed(entry: TensorEntry, name: string): TensorEntry {
  const { path: _, ...rest } = entry;
  return { ...rest, name };
}

import { DTYPES, type DType, elementCount } from '../../dtypes.ts';
import { BYTES } from './meter.ts';
import { arrayFromBuffer, emptyArray, numpyScalar, numpyType } from './numpy.ts';
import {
  type Budget,
  Global,
  OpaqueGlobal,
  PickleDict,
  PickleList,
  PickleOpaque,
  PickleProblem,
  PickleRecord,
  PickleTuple,
  type PickleValue,
  StorageRef,
  TensorRef,
} from './values.ts';

const STORAGES: Readonly<Record<string, DType>> = {
  DoubleStorage: 'float64',
  FloatStorage: 'float32',
  HalfStorage: 'float16',
  BFloat16Storage: 'bfloat16',
  LongStorage: 'int64',
  IntStorage: 'int32',
  ShortStorage: 'int16',
  CharStorage: 'int8',
  ByteStorage: 'uint8',
  BoolStorage: 'bool',
  ComplexFloatStorage: 'complex64',
};

/** Other names of PyTorch's dtypes. */
const DTYPE_ALIASES: Readonly<Record<string, DType>> = {
  double: 'float64',
  float: 'float32',
  half: 'float16',
  long: 'int64',
  int: 'int32',
  short: 'int16',
};

/** Dicts that can do more, in which training programs keep their options. */
const DICTS: readonly string[] = [
  'lightning.fabric.utilities.data.AttributeDict',
  'lightning_fabric.utilities.data.AttributeDict',
  'pytorch_lightning.utilities.parsing.AttributeDict',
  'addict.addict.Dict',
  'easydict.EasyDict',
  'mmengine.config.config.ConfigDict',
  'mmcv.utils.config.ConfigDict',
  'yacs.config.CfgNode',
  'fvcore.common.config.CfgNode',
  'detectron2.config.config.CfgNode',
];

/** What lies beside weights and says nothing of them: paths, times, values of options. Only that they were there is kept. */
const BYSTANDERS: readonly string[] = [
  ...['Path', 'PosixPath', 'WindowsPath', 'PurePath', 'PurePosixPath', 'PureWindowsPath'].flatMap((name) => [
    `pathlib.${name}`,
    `pathlib._local.${name}`,
  ]),
  ...['date', 'time', 'datetime', 'timedelta', 'timezone'].map((name) => `datetime.${name}`),
  'uuid.UUID',
  'decimal.Decimal',
  'types.SimpleNamespace',
  'typing.Any',
  'omegaconf.base.ContainerMetadata',
  'omegaconf.base.Metadata',
  'omegaconf.dictconfig.DictConfig',
  'omegaconf.listconfig.ListConfig',
  ...['Any', 'String', 'Integer', 'Float', 'Boolean', 'Enum', 'Path'].map((name) => `omegaconf.nodes.${name}Node`),
];

/**
 * The same for objects that are made with arguments or filled item by item, and for types that somebody keeps as a value.
 * None of these is a place for weights: what is inside is passed over with them.
 */
const OPAQUE: readonly string[] = [
  'torch.torch_version.TorchVersion',
  'collections.deque',
  // Python 3 writes range and str for protocol 2 under their names of Python 2.
  ...['slice', 'range', 'xrange', 'complex', 'tuple', 'str', 'unicode', 'bool'].flatMap((name) => [
    `builtins.${name}`,
    `__builtin__.${name}`,
  ]),
];

/** Allowed for one use, and refused by name for every other. */
export const GETATTR: readonly string[] = ['builtins.getattr', '__builtin__.getattr'];

function allowList(): Map<string, Global> {
  const allowed = new Map<string, Global>();
  const allow = (name: string, call?: Global['call'], dtype?: DType | null): void => {
    allowed.set(name, new Global(name, call, dtype));
  };
  allow('collections.OrderedDict', (args, budget) => fillDict(new PickleDict(), args, budget));
  allow('collections.Counter', (args, budget) => fillDict(new PickleDict(), args, budget));
  allow('collections.defaultdict', (args, budget) => fillDict(new PickleDict(), args.slice(1), budget));
  allow('argparse.Namespace', (args) => (args.length === 0 ? new PickleRecord() : wrong('argparse.Namespace')));
  for (const name of DICTS) allow(name, (args, budget) => fillDict(new PickleDict(), args, budget));
  for (const name of BYSTANDERS) allow(name, () => new PickleRecord());
  for (const name of OPAQUE) allow(name, () => new PickleOpaque());
  for (const module of ['builtins', '__builtin__']) {
    allow(`${module}.dict`, (args, budget) => fillDict(new PickleDict(), args, budget));
    allow(`${module}.list`, (args, budget) => fillList(args, budget));
    allow(`${module}.set`, (args, budget) => fillList(args, budget));
    allow(`${module}.frozenset`, (args, budget) => fillList(args, budget));
    allow(`${module}.object`);
    // How protocol 2 writes bytes of which there are none; with any, `_codecs.encode` makes them.
    allow(`${module}.bytes`, (args) => (args.length === 0 ? new Uint8Array(0) : new PickleOpaque()));
    allow(`${module}.int`);
    allow(`${module}.long`);
    allow(`${module}.float`);
  }
  allow('numpy.ndarray');
  allow('numpy.dtype', numpyType);
  for (const core of ['numpy.core', 'numpy._core']) {
    allow(`${core}.multiarray._reconstruct`, emptyArray);
    allow(`${core}.multiarray.scalar`, numpyScalar);
    allow(`${core}.numeric._frombuffer`, arrayFromBuffer);
  }
  for (const name of GETATTR) allow(name, attributeOf);
  for (const module of ['copyreg', 'copy_reg']) allow(`${module}._reconstructor`, reconstruct);
  allow('_codecs.encode', encode);
  allow('torch._utils._rebuild_tensor', ([storage, offset, size, stride]) => rebuild(storage, offset, size, stride));
  allow('torch._utils._rebuild_tensor_v2', ([storage, offset, size, stride, , , metadata], budget) => {
    checkView(metadata, budget);
    return rebuild(storage, offset, size, stride);
  });
  allow('torch._utils._rebuild_tensor_v3', ([storage, offset, size, stride, , , dtype, metadata], budget) => {
    checkView(metadata, budget);
    return rebuild(storage, offset, size, stride, dtype);
  });
  allow('torch._utils._rebuild_parameter', ([data]) =>
    data instanceof TensorRef ? data : wrong('_rebuild_parameter'),
  );
  allow('torch._utils._rebuild_parameter_with_state', ([data]) =>
    data instanceof TensorRef ? data : wrong('_rebuild_parameter_with_state'),
  );
  allow('torch._tensor._rebuild_from_type_v2', rebuildFromType);
  allow('torch.Tensor');
  allow('torch.nn.parameter.Parameter');
  allow('torch.Size', ([size]) => (size instanceof PickleTuple ? size : wrong('torch.Size')));
  allow('torch.device', (args) => new PickleTuple(args));
  allow('torch.serialization._get_layout', ([layout]) => layout ?? null);
  for (const [name, dtype] of Object.entries(STORAGES)) allow(`torch.${name}`, undefined, dtype);
  allow('torch.storage.UntypedStorage', undefined, null);
  allow('torch.UntypedStorage', undefined, null);
  for (const name of Object.keys(DTYPES)) allow(`torch.${name}`, undefined, name as DType);
  for (const [name, dtype] of Object.entries(DTYPE_ALIASES)) allow(`torch.${name}`, undefined, dtype);
  return allowed;
}

/**
 * Every global that a file may name, by `module.name`, and what it stands for here. A name that is not in this Map is
 * refused; nothing is ever looked up in the language or run from the file.
 */
export const ALLOWED: ReadonlyMap<string, Global> = allowList();

function wrong(name: string): never {
  throw new PickleProblem(`${name} is called with arguments that it does not take`);
}

/** `dict(...)`: of nothing, of another dict, or of pairs. */
function fillDict(dict: PickleDict, args: readonly PickleValue[], budget: Budget): PickleDict {
  const [from] = args;
  if (args.length === 0) return dict;
  if (args.length > 1) return wrong('dict');
  if (from instanceof PickleDict) {
    budget.spend(from.entries.size);
    budget.hold(BYTES.entry * from.entries.size);
    for (const [key, value] of from.entries) dict.entries.set(key, value);
    return dict;
  }
  if (!(from instanceof PickleList || from instanceof PickleTuple)) return wrong('dict');
  budget.spend(from.items.length);
  budget.hold(BYTES.entry * from.items.length);
  for (const pair of from.items) {
    if (!(pair instanceof PickleList || pair instanceof PickleTuple) || pair.items.length !== 2) return wrong('dict');
    dict.entries.set(pair.items[0]!, pair.items[1]!);
  }
  return dict;
}

function fillList(args: readonly PickleValue[], budget: Budget): PickleList {
  const list = new PickleList();
  const [from] = args;
  if (args.length === 0) return list;
  if (args.length > 1 || !(from instanceof PickleList || from instanceof PickleTuple)) return wrong('list');
  budget.spend(from.items.length);
  budget.hold(BYTES.item * from.items.length);
  for (const item of from.items) list.items.push(item);
  return list;
}

/** How protocols before 4 name what lies inside a class: only of training programs, whose objects are passed over. */
function attributeOf([of, name]: readonly PickleValue[], budget: Budget): PickleValue {
  if (!(of instanceof OpaqueGlobal) || typeof name !== 'string') return wrong('getattr');
  budget.hold(2 * (of.name.length + name.length));
  return new OpaqueGlobal(`${of.name}.${name}`);
}

/** How protocols 0 and 1 make an object without a constructor: only for objects that we keep as records. */
function reconstruct([type, base, state]: readonly PickleValue[]): PickleValue {
  if (type instanceof OpaqueGlobal) return new PickleOpaque();
  const plain = base instanceof Global && base.name.endsWith('.object') && state === null;
  if (!plain || !(type instanceof Global) || type.name !== 'argparse.Namespace') return wrong('copyreg._reconstructor');
  return new PickleRecord();
}

/** How protocol 2 writes bytes: as text in latin-1. */
function encode([text, encoding]: readonly PickleValue[], budget: Budget): Uint8Array {
  if (typeof text !== 'string' || encoding !== 'latin1') return wrong('_codecs.encode');
  budget.spend(text.length);
  budget.hold(BYTES.bytes + text.length);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    bytes[i] = code < 256 ? code : wrong('_codecs.encode');
  }
  return bytes;
}

/** Tensors with attributes of their own, and subclasses: only PyTorch's two own types, without the attributes. */
function rebuildFromType([func, type, args]: readonly PickleValue[], budget: Budget): PickleValue {
  const known = type instanceof Global && ['torch.Tensor', 'torch.nn.parameter.Parameter'].includes(type.name);
  const tensor = func instanceof Global && func.name.startsWith('torch._utils._rebuild_') ? func.call : undefined;
  if (!known || tensor === undefined || !(args instanceof PickleTuple)) return wrong('_rebuild_from_type_v2');
  return tensor(args.items, budget);
}

const MAX_RANK = 64;
/** A tensor may show a storage more than once (stride 0), but not as a way to make a small file fill the memory. */
const MAX_EXPANSION = 4;
const FREE_BYTES = 1 << 20;

/** PyTorch notes here that a view is conjugated or negated, which the bytes do not show. */
function checkView(metadata: PickleValue | undefined, budget: Budget): void {
  if (!(metadata instanceof PickleDict)) return;
  budget.spend(metadata.entries.size); // many tensors may name one large dict
  for (const flag of metadata.entries.values()) {
    if (flag === true) {
      throw new PickleProblem(
        'a conjugated or negated view; save it with .resolve_conj().resolve_neg()',
        'FILE_REFUSED',
      );
    }
  }
}

/** A view of a storage; it may not reach outside. */
function rebuild(
  storage: PickleValue | undefined,
  offset: PickleValue | undefined,
  size: PickleValue | undefined,
  stride: PickleValue | undefined,
  type?: PickleValue,
): TensorRef {
  if (!(storage instanceof StorageRef)) throw new PickleProblem('a tensor without a storage');
  const dtype = type instanceof Global && type.dtype ? type.dtype : storage.dtype;
  if (dtype === null) throw new PickleProblem('a tensor without an element type');
  const shape = counts(size, 'shape');
  const strides = counts(stride, 'strides');
  if (shape.length !== strides.length) throw new PickleProblem('a tensor with other strides than sides');
  if (!isCount(offset)) throw new PickleProblem('a tensor with a bad storage offset');
  const itemSize = DTYPES[dtype].size;
  const elements = elementCount(shape);
  const last = elements === 0 ? -1 : shape.reduce((at, side, axis) => at + (side - 1) * strides[axis]!, offset);
  if (!Number.isSafeInteger(elements) || !Number.isSafeInteger(last) || (last + 1) * itemSize > storage.byteLength) {
    throw new PickleProblem(
      `a tensor that reaches outside of its storage: [${shape.join(',')}] with strides [${strides.join(',')}] from ` +
        `element ${offset} of ${Math.floor(storage.byteLength / itemSize)}`,
    );
  }
  if (elements * itemSize > Math.max(FREE_BYTES, MAX_EXPANSION * storage.byteLength)) {
    throw new PickleProblem(
      `a tensor ${elements} elements large over a storage of ${storage.byteLength} bytes`,
      'BUDGET_EXCEEDED',
    );
  }
  return new TensorRef(storage, dtype, offset, shape, strides);
}

function counts(value: PickleValue | undefined, what: string): readonly number[] {
  const items = value instanceof PickleTuple || value instanceof PickleList ? value.items : undefined;
  if (items === undefined || items.length > MAX_RANK || !items.every(isCount)) {
    throw new PickleProblem(`a tensor with bad ${what}`);
  }
  return items;
}

function isCount(value: PickleValue | undefined): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

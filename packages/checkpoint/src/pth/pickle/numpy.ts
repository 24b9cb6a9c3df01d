import { DTYPES, type DType, elementCount } from '../../dtypes.ts';
import {
  Global,
  NumpyArray,
  NumpyOther,
  NumpyType,
  PickleProblem,
  PickleRecord,
  PickleTuple,
  type PickleValue,
} from './values.ts';

/** numpy's letters and sizes for the element types that we know. */
const CODES: Readonly<Record<string, DType>> = {
  f2: 'float16',
  f4: 'float32',
  f8: 'float64',
  i1: 'int8',
  i2: 'int16',
  i4: 'int32',
  i8: 'int64',
  u1: 'uint8',
  u2: 'uint16',
  u4: 'uint32',
  u8: 'uint64',
  b1: 'bool',
};

/** Text, bytes, objects, dates and times: `U3`, `S3`, `O8`, `M8`, `m8`. */
const OTHER = /^[USOMm]\d{0,9}$/;

/** `numpy.dtype('f4', False, True)`. */
export function numpyType([code]: readonly PickleValue[]): NumpyType | NumpyOther {
  if (typeof code === 'string' && OTHER.test(code)) return new NumpyOther();
  if (typeof code !== 'string' || !Object.hasOwn(CODES, code)) return wrong('numpy.dtype');
  return new NumpyType(CODES[code]!);
}

/** `_reconstruct(numpy.ndarray, (0,), b'b')`: an array that waits for its state. */
export function emptyArray([type, shape]: readonly PickleValue[]): NumpyArray {
  const known = type instanceof Global && type.name === 'numpy.ndarray' && shape instanceof PickleTuple;
  return known ? new NumpyArray() : wrong('numpy _reconstruct');
}

/** A number of numpy's, such as a best score beside the weights: known to be one, and of no use here. */
export function numpyScalar([type]: readonly PickleValue[]): PickleValue {
  return isType(type) ? new PickleRecord() : wrong('numpy scalar');
}

/** `_frombuffer(bytes, dtype, shape, order)`, of protocol 5. */
export function arrayFromBuffer([data, type, shape, order]: readonly PickleValue[]): NumpyArray {
  return fillArray(new NumpyArray(), { shape, type, columnMajor: order === 'F', data });
}

/** The state of a type `(3, '<', …)` or of an array `(1, shape, type, columnMajor, bytes)`. True when it was one. */
export function setNumpyState(object: PickleValue, state: PickleValue): boolean {
  if (!(state instanceof PickleTuple)) return false;
  if (object instanceof NumpyType) {
    object.bigEndian = state.items[1] === '>';
    return true;
  }
  if (!(object instanceof NumpyArray)) return false;
  const [, shape, type, columnMajor, data] = state.items;
  fillArray(object, { shape, type, columnMajor: columnMajor === true || columnMajor === 1, data });
  return true;
}

interface ArrayState {
  readonly shape: PickleValue | undefined;
  readonly type: PickleValue | undefined;
  readonly columnMajor: boolean;
  readonly data: PickleValue | undefined;
}

function fillArray(array: NumpyArray, { shape, type, columnMajor, data }: ArrayState): NumpyArray {
  const sides = shape instanceof PickleTuple ? shape.items : undefined;
  const isCount = (n: PickleValue): n is number => typeof n === 'number' && Number.isSafeInteger(n) && n >= 0;
  if (sides === undefined || sides.length > 32 || !sides.every(isCount) || !isType(type)) {
    throw new PickleProblem('a numpy array with a bad shape or type');
  }
  if (type instanceof NumpyOther) return Object.assign(array, { shape: sides, type }); // nothing inside is kept
  const bytes = elementCount(sides) * DTYPES[type.dtype].size;
  if (!(data instanceof Uint8Array) || data.byteLength !== bytes) {
    throw new PickleProblem('a numpy array that its bytes do not fill');
  }
  return Object.assign(array, { shape: sides, type, columnMajor, data });
}

function isType(value: PickleValue | undefined): value is NumpyType | NumpyOther {
  return value instanceof NumpyType || value instanceof NumpyOther;
}

function wrong(name: string): never {
  throw new PickleProblem(`${name} is called with arguments that it does not take`, 'FILE_REFUSED');
}

import type { DType } from '../../dtypes.ts';

/**
 * What a pickle can become here: plain data. Strings, numbers, bigints, booleans, null and bytes stand for themselves;
 * everything else is one of these classes, none of which does anything.
 */
export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PickleList
  | PickleTuple
  | PickleDict
  | PickleRecord
  | PickleOpaque
  | StorageRef
  | TensorRef
  | NumpyType
  | NumpyOther
  | NumpyArray
  | Global;

/** A list; sets become lists too. */
export class PickleList {
  readonly items: PickleValue[] = [];
}

export class PickleTuple {
  readonly items: readonly PickleValue[];
  constructor(items: readonly PickleValue[]) {
    this.items = items;
  }
}

/** A dict, in the file's order. Keys are compared as JavaScript does: two equal tuples are two keys. */
export class PickleDict {
  readonly entries: Map<PickleValue, PickleValue> = new Map();
}

/** An object of which only the fields are kept, such as `argparse.Namespace`. */
export class PickleRecord extends PickleDict {}

/**
 * An object of a training program that lies beside the weights (a log, a schedule): that it was there is all that is known
 * of it. Nothing inside is kept, so no tensor is ever found there.
 */
export class PickleOpaque {
  readonly opaque = true;
}

/** Memory that tensors share: a record of the archive. */
export class StorageRef {
  readonly key: string;
  /** Null when the storage is plain bytes and its tensors know their type. */
  readonly dtype: DType | null;
  readonly byteLength: number;
  /** Where in the record it begins; more than 0 only in old files, which had views of storages. */
  readonly byteOffset: number;

  constructor(key: string, dtype: DType | null, byteLength: number, byteOffset = 0) {
    this.key = key;
    this.dtype = dtype;
    this.byteLength = byteLength;
    this.byteOffset = byteOffset;
  }
}

/** A tensor as a view of a storage; offset and strides count elements. Checked to lie inside when it was made. */
export class TensorRef {
  readonly storage: StorageRef;
  readonly dtype: DType;
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];

  constructor(storage: StorageRef, dtype: DType, offset: number, shape: readonly number[], strides: readonly number[]) {
    this.storage = storage;
    this.dtype = dtype;
    this.offset = offset;
    this.shape = shape;
    this.strides = strides;
  }
}

/** The element type of a numpy array. */
export class NumpyType {
  readonly dtype: DType;
  bigEndian = false;

  constructor(dtype: DType) {
    this.dtype = dtype;
  }
}

/** An element type of numpy that no weight has, such as text, and what is made of it. */
export class NumpyOther extends PickleOpaque {
  readonly isNumpy = true;
}

/** A numpy array, with its bytes in the pickle. Empty until its state comes. */
export class NumpyArray {
  shape: readonly number[] = [0];
  type: NumpyType | NumpyOther = new NumpyType('float32');
  data: Uint8Array = new Uint8Array(0);
  /** Whether the first axis is the one whose elements follow each other. */
  columnMajor = false;
}

/** A name of the allow-list: what it does when it is called, made of data only. */
export class Global {
  /** `module.name`, as in the file. */
  readonly name: string;
  /** A storage type, with its element type (null: bytes), or a dtype. */
  readonly dtype: DType | null | undefined;
  readonly call: ((args: readonly PickleValue[], budget: Budget) => PickleValue) | undefined;

  constructor(name: string, call?: Global['call'], dtype?: DType | null) {
    this.name = name;
    this.call = call;
    this.dtype = dtype;
  }
}

/** A class, function or attribute of a training program: whatever is made of it is opaque. */
export class OpaqueGlobal extends Global {
  constructor(name: string) {
    super(name, () => new PickleOpaque());
  }
}

/** Counts the work and the memory of reading a pickle and stops it when either is too much. */
export interface Budget {
  /** Takes `steps` of work. @throws BUDGET_EXCEEDED */
  spend(steps: number): void;
  /** Takes memory, estimated in bytes. @throws BUDGET_EXCEEDED */
  hold(bytes: number): void;
}

/** What a global or an opcode found wrong; the machine adds the place. */
export class PickleProblem extends Error {
  readonly code: 'FILE_MALFORMED' | 'FILE_REFUSED' | 'FILE_TRUNCATED' | 'BUDGET_EXCEEDED';
  constructor(message: string, code: PickleProblem['code'] = 'FILE_MALFORMED') {
    super(message);
    this.code = code;
  }
}

import { crc32 } from 'node:zlib';

/** Files for tests, good and bad, made byte by byte: zip archives, pickles and safetensors. */

// ---------------------------------------------------------------- bytes

export function concat(...parts: readonly (Uint8Array | string)[]): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : part))));
}

export function u16(value: number): Uint8Array {
  return Uint8Array.of(value & 255, (value >>> 8) & 255);
}

export function u32(value: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(value).buffer);
}

export function u64(value: number | bigint): Uint8Array {
  return new Uint8Array(BigUint64Array.of(BigInt(value)).buffer);
}

// ---------------------------------------------------------------- pickles

const op = (code: number) => Uint8Array.of(code);

/** Opcodes by what they do; protocol 2, as PyTorch writes. */
export const P = {
  proto: (version = 2) => Uint8Array.of(0x80, version),
  stop: op(0x2e),
  none: op(0x4e),
  mark: op(0x28),
  int: (value: number) => concat(op(0x4a), u32(value)),
  text: (value: string) => concat(op(0x58), u32(Buffer.byteLength(value)), value),
  global: (module: string, name: string) => concat(op(0x63), `${module}\n${name}\n`),
  tuple: (...items: Uint8Array[]) => concat(op(0x28), ...items, op(0x74)),
  list: (...items: Uint8Array[]) => concat(op(0x5d), op(0x28), ...items, op(0x65)),
  dict: (entries: Record<string, Uint8Array>) =>
    concat(op(0x7d), op(0x28), ...Object.entries(entries).flatMap(([key, value]) => [P.text(key), value]), op(0x75)),
  reduce: op(0x52),
  build: op(0x62),
  newObject: op(0x81),
  persistent: op(0x51),
  dup: op(0x32),
  put: (index: number) => concat(op(0x72), u32(index)),
  get: (index: number) => concat(op(0x6a), u32(index)),
  false: op(0x89),
  byte: op,
};

export function pickle(...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  return concat(P.proto(), ...parts, P.stop);
}

export interface TensorPickle {
  storage?: string;
  key?: string;
  count?: number;
  offset?: number;
  shape?: readonly number[];
  strides?: readonly number[];
}

/** A float32 tensor of 6 elements, as `torch._utils._rebuild_tensor_v2` gets it; any part can be a lie. */
export function tensorPickle({
  storage = 'FloatStorage',
  key = '0',
  count = 6,
  offset = 0,
  shape = [2, 3],
  strides = [3, 1],
}: TensorPickle = {}): Uint8Array {
  const id = P.tuple(P.text('storage'), P.global('torch', storage), P.text(key), P.text('cpu'), P.int(count));
  const ints = (values: readonly number[]) => P.tuple(...values.map(P.int));
  const arguments_ = [concat(id, P.persistent), P.int(offset), ints(shape), ints(strides), P.false, P.tuple()];
  return concat(P.global('torch._utils', '_rebuild_tensor_v2'), P.tuple(...arguments_), P.reduce);
}

// ---------------------------------------------------------------- zip

export interface ZipPart {
  name: string;
  data: Uint8Array;
  /** What the local and the central header say instead of the truth. */
  local?: Partial<ZipFields>;
  central?: Partial<ZipFields>;
}

interface ZipFields {
  name: string;
  flags: number;
  method: number;
  crc: number;
  packed: number;
  size: number;
  offset: number;
  extra: Uint8Array;
}

export interface ZipLies {
  prefix?: Uint8Array;
  suffix?: Uint8Array;
  /** Number of entries in the end record. */
  count?: number;
  directoryOffset?: number;
  directorySize?: number;
  disk?: number;
  comment?: string;
  /** Adds a wide end record with these numbers, all true by default. */
  wide?: Partial<{ count: number; size: number; offset: number; at: number }>;
}

/** A zip archive of stored entries as PyTorch writes them: checksums and sizes in the directory only. */
export function zip(parts: readonly ZipPart[], lies: ZipLies = {}): Uint8Array<ArrayBuffer> {
  const bodies: Uint8Array[] = [lies.prefix ?? new Uint8Array(0)];
  const directory: Uint8Array[] = [];
  let at = bodies[0]!.length;
  for (const { name, data, local = {}, central = {} } of parts) {
    const truth = {
      name,
      flags: 0x808,
      method: 0,
      crc: crc32(data),
      packed: data.length,
      size: data.length,
      offset: at,
    };
    const inside = { ...truth, crc: 0, packed: 0, size: 0, extra: new Uint8Array(0), ...local };
    const outside = { ...truth, extra: new Uint8Array(0), ...central };
    const common = (fields: typeof inside) => [
      u16(fields.flags),
      u16(fields.method),
      u32(0),
      u32(fields.crc),
      u32(fields.packed),
      u32(fields.size),
      u16(Buffer.byteLength(fields.name)),
      u16(fields.extra.length),
    ];
    const body = concat(u32(0x04034b50), u16(0), ...common(inside), inside.name, inside.extra, data);
    bodies.push(body);
    directory.push(
      concat(u32(0x02014b50), u16(0), u16(0), ...common(outside), u16(0), u16(lies.disk ?? 0), u16(0), u32(0)),
      concat(u32(outside.offset), outside.name, outside.extra),
    );
    at += body.length;
  }
  const names = concat(...directory);
  const count = lies.count ?? parts.length;
  const size = lies.directorySize ?? names.length;
  const offset = lies.directoryOffset ?? at;
  const wide: Uint8Array[] = [];
  if (lies.wide !== undefined) {
    const {
      count: c = parts.length,
      size: s = names.length,
      offset: o = at,
      at: where = at + names.length,
    } = lies.wide;
    wide.push(concat(u32(0x06064b50), u64(44), u16(45), u16(45), u32(0), u32(0), u64(c), u64(c), u64(s), u64(o)));
    wide.push(concat(u32(0x07064b50), u32(0), u64(where), u32(1)));
  }
  const comment = lies.comment ?? '';
  const end = concat(u32(0x06054b50), u16(lies.disk ?? 0), u16(0), u16(count), u16(count), u32(size), u32(offset));
  return concat(...bodies, names, ...wide, end, u16(comment.length), comment, lies.suffix ?? new Uint8Array(0));
}

/** The six numbers that {@link tensorPickle} is about. */
export const SIX: Uint8Array = new Uint8Array(Float32Array.of(0, 1, 2, 3, 4, 5).buffer);

/** The parts of a good archive with one tensor `t`; `data.pkl` can be another one. */
export function archiveParts(
  pkl: Uint8Array = pickle(P.dict({ t: tensorPickle() })),
  data: Uint8Array = SIX,
): ZipPart[] {
  const text = (value: string) => new Uint8Array(Buffer.from(value));
  return [
    { name: 'model/data.pkl', data: pkl },
    { name: 'model/byteorder', data: text('little') },
    { name: 'model/data/0', data },
    { name: 'model/version', data: text('3\n') },
  ];
}

/** A whole archive around a pickle. */
export function archive(pkl?: Uint8Array, data?: Uint8Array): Uint8Array<ArrayBuffer> {
  return zip(archiveParts(pkl, data));
}

// ---------------------------------------------------------------- safetensors

/** A safetensors file with any header text and any data. */
export function rawSafetensors(
  header: string | Uint8Array,
  data: Uint8Array | number = 0,
  length?: number | bigint,
): Uint8Array<ArrayBuffer> {
  const head = typeof header === 'string' ? new Uint8Array(Buffer.from(header)) : header;
  return concat(u64(length ?? head.length), head, typeof data === 'number' ? new Uint8Array(data) : data);
}

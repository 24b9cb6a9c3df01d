import { quoteName, shortened } from '@rcnn/core/errors';
import { DTYPES, type DType, dtypeOfCode } from '../dtypes.ts';
import { malformed, REFUSED_NAMES, refuse } from '../refuse.ts';
import { parseStrictJson, type StrictJson } from '../strict-json.ts';

/** Where a tensor lies in the file. */
export interface HeaderEntry {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** From the beginning of the file, in bytes. */
  readonly offset: number;
}

export interface Header {
  readonly entries: readonly HeaderEntry[];
  readonly metadata: ReadonlyMap<string, string>;
}

/** The reference implementation takes no longer header; what says more is no safetensors file. */
export const LONGEST_HEADER = 100_000_000;
/** We take no longer one: a hundred thousand tensors with metadata need less. */
export const MAX_HEADER_BYTES: number = 32 << 20;
const MAX_TENSORS = 100_000;
/** What a header may make in memory, see {@link parseStrictJson}: so many tensors with shapes and offsets need less. */
const MAX_VALUES = 3e6;
const MAX_NAME = 4096;
const FIELDS = new Set(['dtype', 'shape', 'data_offsets']);

/**
 * Reads the JSON header of a safetensors file and checks all that it says: types, shapes, sizes, and that the tensors
 * fill the data without a hole or an overlap.
 * @param dataStart where the data begin in the file, in bytes
 * @throws FILE_MALFORMED, FILE_TRUNCATED, FILE_REFUSED, BUDGET_EXCEEDED: each names the tensor
 */
export function parseHeader(bytes: Uint8Array, where: string, dataStart: number, fileSize: number): Header {
  const root = parseStrictJson(decodeUtf8(bytes, where), where, { maxDepth: 8, maxValues: MAX_VALUES });
  if (!(root instanceof Map)) malformed(where, 'byte 8', 'the header is not a JSON object');
  if (root.size > MAX_TENSORS + 1) {
    refuse('BUDGET_EXCEEDED', where, 'header', 'too many tensors', {
      found: String(root.size),
      expected: `at most ${MAX_TENSORS}`,
    });
  }
  const spans: Span[] = [];
  let metadata: ReadonlyMap<string, string> = new Map();
  for (const [name, value] of root) {
    if (name === '__metadata__') metadata = checkMetadata(value, where);
    else spans.push(checkEntry(name, value, where));
  }
  checkTiling(spans, where, fileSize - dataStart);
  const entries = spans.map(({ name, dtype, shape, begin }) => ({ name, dtype, shape, offset: dataStart + begin }));
  return { entries, metadata };
}

interface Span {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

function decodeUtf8(bytes: Uint8Array, where: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return malformed(where, 'byte 8', 'the header is not UTF-8');
  }
}

function checkMetadata(value: StrictJson, where: string): ReadonlyMap<string, string> {
  const place = '__metadata__';
  if (!(value instanceof Map)) malformed(where, place, 'the metadata are not an object');
  for (const [key, text] of value) {
    if (typeof text !== 'string')
      malformed(where, `${place}.${shortened(key, 100)}`, 'a value in the metadata is not text');
  }
  return value as ReadonlyMap<string, string>;
}

function checkEntry(name: string, value: StrictJson, where: string): Span {
  const place = `tensor ${quoteName(name)}`;
  if (name.length > MAX_NAME) {
    refuse('BUDGET_EXCEEDED', where, place, `a name longer than ${MAX_NAME} characters`);
  }
  if (REFUSED_NAMES.has(name)) {
    refuse('FILE_REFUSED', where, place, 'a tensor may not have this name');
  }
  if (!(value instanceof Map)) malformed(where, place, 'its description is not an object');
  for (const key of value.keys()) if (!FIELDS.has(key)) malformed(where, place, `unknown field ${quoteName(key)}`);
  const code = value.get('dtype');
  const dtype = typeof code === 'string' ? dtypeOfCode(code) : undefined;
  if (dtype === undefined)
    malformed(where, place, `unknown dtype ${typeof code === 'string' ? quoteName(code) : '(none)'}`);
  const shape = checkCounts(value.get('shape'), where, place, 'shape');
  const offsets = checkCounts(value.get('data_offsets'), where, place, 'data_offsets');
  const [begin, end] = offsets;
  if (begin === undefined || end === undefined || offsets.length !== 2 || begin > end) {
    malformed(where, place, 'data_offsets are not [begin, end]', { found: `[${offsets.join(',')}]` });
  }
  const byteLength = safeByteLength(shape, DTYPES[dtype].size);
  if (byteLength !== end - begin) {
    malformed(where, `${place}, byte ${begin} of the data`, 'its size is not that of its shape and dtype', {
      found: `${end - begin} bytes`,
      expected: `${byteLength ?? 'more than 2^53'} bytes for ${dtype} [${shape.join(',')}]`,
    });
  }
  return { name, dtype, shape, begin, end };
}

/** A list of whole numbers from 0 to 2^53 - 1. */
function checkCounts(value: StrictJson | undefined, where: string, place: string, field: string): readonly number[] {
  if (Array.isArray(value) && value.length <= 64 && value.every((n) => Number.isSafeInteger(n) && (n as number) >= 0)) {
    return (value as number[]).map((n) => n + 0); // -0 becomes 0
  }
  return malformed(where, place, `${field} is not a list of whole numbers from 0 to 2^53 - 1`);
}

function safeByteLength(shape: readonly number[], size: number): number | undefined {
  if (shape.includes(0)) return 0;
  let bytes = size;
  for (const side of shape) {
    bytes *= side;
    if (!Number.isSafeInteger(bytes)) return undefined;
  }
  return bytes;
}

function checkTiling(spans: readonly Span[], where: string, dataLength: number): void {
  const sorted = [...spans].sort((a, b) => a.begin - b.begin || a.end - b.end);
  let at = 0;
  for (const { name, begin, end } of sorted) {
    const place = `tensor ${quoteName(name)}, byte ${begin} of the data`;
    if (begin < at) malformed(where, place, 'it overlaps another tensor', { expected: `a beginning at byte ${at}` });
    if (begin > at) malformed(where, place, 'there is a hole before it', { expected: `a beginning at byte ${at}` });
    if (end > dataLength) {
      refuse('FILE_TRUNCATED', where, place, 'the file ends inside this tensor', {
        found: `${dataLength} bytes of data`,
        expected: `${sorted.at(-1)!.end} bytes`,
        hint: 'Copy or download it again.',
      });
    }
    at = end;
  }
  if (at < dataLength)
    malformed(where, `byte ${at} of the data`, 'bytes that belong to no tensor', {
      found: `${dataLength - at} bytes`,
    });
}

import { quoteName } from '@rcnn/core/errors';
import { type ByteSource, checkRange } from '../byte-source.ts';
import { malformed, refuse } from '../refuse.ts';

/** A stored file of an archive. */
export interface ZipEntry {
  readonly name: string;
  /** Where its bytes begin in the archive. */
  readonly offset: number;
  readonly size: number;
  readonly crc32: number;
}

const MAX_ENTRIES = 10_000;
const MAX_DIRECTORY_BYTES = 16 << 20;
const END_BYTES = 22;
const LOCATOR_BYTES = 20;
const END64_BYTES = 56;
const FULL16 = 0xffff;
const FULL32 = 0xffffffff;
/** Bit 3: sizes come after the data. Bit 11: names are UTF-8. Everything else (encryption, patches) is refused. */
const KNOWN_FLAGS = 0x808;

/**
 * Reads the directory of a zip archive as PyTorch writes them (APPNOTE.TXT of PKWARE): entries are stored, none
 * overlaps another, the archive begins with the first and ends with the directory. Sizes and checksums come from the
 * directory alone; local headers may leave them out (PyTorch does) but not contradict it. No entry is read.
 * @throws FILE_MALFORMED, FILE_TRUNCATED, FILE_REFUSED, BUDGET_EXCEEDED: each names the entry or the byte
 */
export async function readZipDirectory(source: ByteSource): Promise<ReadonlyMap<string, ZipEntry>> {
  const directory = await findDirectory(source);
  const records = await readRecords(source, directory);
  const entries = new Map<string, ZipEntry>();
  let end = 0;
  for (const record of [...records].sort((a, b) => a.localOffset - b.localOffset)) {
    if (end === 0 && record.localOffset !== 0) malformed(source.name, 'byte 0', 'bytes before the first entry');
    if (record.localOffset < end) malformed(source.name, quoted(record.name), 'it overlaps the entry before it');
    const entry = await locate(source, record);
    end = entry.offset + entry.size;
    if (end > directory.offset) malformed(source.name, quoted(record.name), 'it reaches into the directory');
    entries.set(entry.name, entry);
  }
  return entries;
}

/**
 * The names in the directory of any zip archive, also of one that {@link readZipDirectory} refuses: enough to tell what
 * it is. Where the directory is damaged, the names up to there.
 * @throws FILE_TRUNCATED, FILE_MALFORMED, FILE_REFUSED, BUDGET_EXCEEDED where it has none to be read
 */
export async function readZipNames(source: ByteSource): Promise<readonly string[]> {
  const { offset, size, count } = await findDirectory(source);
  checkRange(source, offset, size);
  const view = viewOf(await source.read(offset, size));
  const names: string[] = [];
  for (let at = 0; names.length < count && at + 46 <= size && view.getUint32(at, true) === 0x02014b50; ) {
    const length = view.getUint16(at + 28, true);
    if (at + 46 + length > size) break;
    names.push(new TextDecoder().decode(bytesOf(view, at + 46, length)));
    at += 46 + length + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
  }
  return names;
}

interface Directory {
  readonly offset: number;
  readonly size: number;
  readonly count: number;
}

interface DirectoryRecord {
  readonly name: string;
  readonly flags: number;
  readonly crc32: number;
  readonly size: number;
  readonly localOffset: number;
}

/** The end record is the last thing in the file: no comment, nothing behind it. */
async function findDirectory(source: ByteSource): Promise<Directory> {
  const tailLength = Math.min(source.size, END_BYTES + LOCATOR_BYTES + END64_BYTES);
  const tail = viewOf(await source.read(source.size - tailLength, tailLength));
  const endAt = tailLength - END_BYTES;
  if (endAt < 0 || tail.getUint32(endAt, true) !== 0x06054b50 || tail.getUint16(endAt + 20, true) !== 0) {
    refuse(
      'FILE_TRUNCATED',
      source.name,
      `byte ${Math.max(0, source.size - END_BYTES)}`,
      'the zip archive does not end with its directory',
      {
        hint: 'Was the file cut short, or was something added to it? Copy or download it again.',
      },
    );
  }
  const numbers = {
    count: tail.getUint16(endAt + 10, true),
    size: tail.getUint32(endAt + 12, true),
    offset: tail.getUint32(endAt + 16, true),
  };
  if (tail.getUint32(endAt + 4, true) !== 0 || tail.getUint16(endAt + 8, true) !== numbers.count) {
    refuse('FILE_REFUSED', source.name, 'end record', 'the archive has several parts');
  }
  const end = source.size - END_BYTES;
  const locatorAt = endAt - LOCATOR_BYTES;
  const wide = locatorAt >= END64_BYTES && tail.getUint32(locatorAt, true) === 0x07064b50;
  const directory = wide ? readEnd64(source, tail, locatorAt, numbers) : numbers;
  const directoryEnd = wide ? end - LOCATOR_BYTES - END64_BYTES : end;
  if (directory.offset + directory.size !== directoryEnd) {
    const found = `bytes ${directory.offset} to ${directory.offset + directory.size}`;
    const expected = `an end at ${directoryEnd}`;
    malformed(source.name, 'end record', 'the directory is not where it should be', { found, expected });
  }
  if (directory.count > MAX_ENTRIES || directory.size > MAX_DIRECTORY_BYTES) {
    refuse('BUDGET_EXCEEDED', source.name, 'end record', 'too many entries', {
      found: String(directory.count),
      expected: `at most ${MAX_ENTRIES}`,
    });
  }
  return directory;
}

/** The wide end record. Its numbers and the narrow ones must agree where the narrow ones can hold them. */
function readEnd64(source: ByteSource, tail: DataView, locatorAt: number, narrow: Directory): Directory {
  const at = locatorAt - END64_BYTES;
  const tailStart = source.size - tail.byteLength;
  const count = wide(tail, at + 32);
  const size = wide(tail, at + 40);
  const offset = wide(tail, at + 48);
  const agree =
    tail.getUint32(at, true) === 0x06064b50 &&
    wide(tail, at + 4) === END64_BYTES - 12 &&
    wide(tail, locatorAt + 8) === tailStart + at &&
    tail.getUint32(locatorAt + 4, true) === 0 &&
    tail.getUint32(locatorAt + 16, true) === 1 &&
    wide(tail, at + 16) === 0 && // both disk numbers
    wide(tail, at + 24) === count &&
    (narrow.count === count || narrow.count === FULL16) &&
    (narrow.size === size || narrow.size === FULL32) &&
    (narrow.offset === offset || narrow.offset === FULL32);
  if (!agree) malformed(source.name, `byte ${tailStart + at}`, 'the two end records contradict each other');
  return { count, size, offset };
}

async function readRecords(source: ByteSource, { offset, size, count }: Directory): Promise<DirectoryRecord[]> {
  checkRange(source, offset, size);
  const view = viewOf(await source.read(offset, size));
  const records: DirectoryRecord[] = [];
  const names = new Set<string>();
  let at = 0;
  for (let i = 0; i < count; i++) {
    const place = `byte ${offset + at}`;
    if (at + 46 > size || view.getUint32(at, true) !== 0x02014b50) {
      malformed(source.name, place, `the directory ends before its entry ${i + 1} of ${count}`);
    }
    const nameLength = view.getUint16(at + 28, true);
    const extraLength = view.getUint16(at + 30, true);
    const next = at + 46 + nameLength + extraLength + view.getUint16(at + 32, true);
    if (next > size) malformed(source.name, place, 'an entry reaches out of the directory');
    const name = checkName(source, bytesOf(view, at + 46, nameLength), place);
    if (names.has(name)) malformed(source.name, quoted(name), 'two entries have this name');
    names.add(name);
    records.push(checkRecord(source, view, at, name, { at: at + 46 + nameLength, length: extraLength }));
    at = next;
  }
  if (at !== size) malformed(source.name, `byte ${offset + at}`, 'bytes in the directory that belong to no entry');
  return records;
}

function checkRecord(
  source: ByteSource,
  view: DataView,
  at: number,
  name: string,
  extra: { at: number; length: number },
): DirectoryRecord {
  const flags = view.getUint16(at + 8, true);
  if ((flags & ~KNOWN_FLAGS) !== 0) {
    refuse('FILE_REFUSED', source.name, quoted(name), 'the entry is encrypted or of a kind we do not read');
  }
  if (view.getUint16(at + 10, true) !== 0) {
    const hint = 'PyTorch stores tensors uncompressed; load it there and save it again.';
    refuse('FILE_REFUSED', source.name, quoted(name), 'the entry is compressed', { hint });
  }
  const narrow = {
    packed: view.getUint32(at + 20, true),
    size: view.getUint32(at + 24, true),
    localOffset: view.getUint32(at + 42, true),
  };
  const { packed, size, localOffset } = widen(source, view, name, narrow, extra);
  if (packed !== size) {
    const found = `${packed} bytes for ${size}`;
    malformed(source.name, quoted(name), 'a stored entry has two sizes', { found });
  }
  if (view.getUint16(at + 34, true) !== 0)
    refuse('FILE_REFUSED', source.name, quoted(name), 'the archive has several parts');
  checkRange(source, localOffset, size);
  return { name, flags, crc32: view.getUint32(at + 16, true), size, localOffset };
}

interface Sizes {
  readonly packed: number;
  readonly size: number;
  readonly localOffset: number;
}

/** The zip64 extra field holds those of the three numbers that are all ones, in this order. */
function widen(
  source: ByteSource,
  view: DataView,
  name: string,
  narrow: Sizes,
  extra: { at: number; length: number },
): Sizes {
  const missing = [narrow.size, narrow.packed, narrow.localOffset].filter((value) => value === FULL32).length;
  if (missing === 0) return narrow;
  for (let at = extra.at; at + 4 <= extra.at + extra.length; ) {
    const length = view.getUint16(at + 2, true);
    if (view.getUint16(at, true) === 1 && length >= missing * 8 && at + 4 + length <= extra.at + extra.length) {
      let next = at + 4;
      const take = (value: number): number => {
        if (value !== FULL32) return value;
        next += 8;
        return wide(view, next - 8);
      };
      const size = take(narrow.size);
      const packed = take(narrow.packed);
      return { size, packed, localOffset: take(narrow.localOffset) };
    }
    at += 4 + length;
  }
  return malformed(source.name, quoted(name), 'its large sizes are missing');
}

/** Names are relative, of ordinary parts: nothing is ever written by them, but nothing honest looks otherwise. */
function checkName(source: ByteSource, bytes: Uint8Array, place: string): string {
  let name: string;
  try {
    name = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return malformed(source.name, place, 'a name that is not UTF-8');
  }
  const parts = name.split('/');
  const odd = name.includes('\\') || name.includes('\0') || /^[A-Za-z]:/.test(name);
  if (odd || parts.some((part) => part === '' || part === '.' || part === '..')) {
    refuse('FILE_REFUSED', source.name, place, 'a name that leaves its folder', { found: quoteName(name) });
  }
  return name;
}

/** Reads the local header of an entry, to find its bytes, and holds it against the directory. */
async function locate(source: ByteSource, record: DirectoryRecord): Promise<ZipEntry> {
  const { name, localOffset, size, crc32, flags } = record;
  const nameBytes = new TextEncoder().encode(name);
  checkRange(source, localOffset, 30 + nameBytes.length);
  const view = viewOf(await source.read(localOffset, 30 + nameBytes.length));
  const absentOr = (value: number, expected: number): boolean =>
    value === expected || value === FULL32 || (value === 0 && (flags & 8) !== 0);
  const same =
    view.getUint32(0, true) === 0x04034b50 &&
    view.getUint16(6, true) === flags &&
    view.getUint16(8, true) === 0 &&
    absentOr(view.getUint32(14, true), crc32) &&
    absentOr(view.getUint32(18, true), size) &&
    absentOr(view.getUint32(22, true), size) &&
    view.getUint16(26, true) === nameBytes.length &&
    bytesOf(view, 30, nameBytes.length).every((byte, i) => byte === nameBytes[i]);
  if (!same) malformed(source.name, quoted(name), 'its own header contradicts the directory');
  const offset = localOffset + 30 + nameBytes.length + view.getUint16(28, true);
  checkRange(source, offset, size);
  return { name, offset, size, crc32 };
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function bytesOf(view: DataView, at: number, length: number): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset + at, length);
}

function wide(view: DataView, at: number): number {
  return Number(view.getBigUint64(at, true));
}

function quoted(name: string): string {
  return `entry ${quoteName(name)}`;
}

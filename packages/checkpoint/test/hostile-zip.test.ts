import { expect, test } from 'vitest';
import { bytesSource, openTensors } from '../src/index.ts';
import {
  archive,
  archiveParts,
  concat,
  P,
  pickle,
  tensorPickle,
  u16,
  u64,
  type ZipLies,
  type ZipPart,
  zip,
} from './forge.ts';
import { rejection } from './helpers.ts';

/** Reads everything, as a program that loads the file would. */
async function load(bytes: Uint8Array): Promise<Map<string, Uint8Array>> {
  const source = await openTensors(bytesSource(bytes, 'evil.pth'));
  const all = new Map<string, Uint8Array>();
  for (const tensor of source.tensors.values()) all.set(tensor.name, await tensor.read());
  return all;
}

/** The good archive with its part `index` changed. */
function changed(index: number, change: Partial<ZipPart>, lies: ZipLies = {}): Uint8Array {
  return zip(
    archiveParts().map((part, i) => (i === index ? { ...part, ...change } : part)),
    lies,
  );
}

function withPart(part: ZipPart, lies: ZipLies = {}): Uint8Array {
  return zip([...archiveParts(), part], lies);
}

const one = Uint8Array.of(1);
const FULL = 0xffffffff;

test('the archive that the tricks start from is good', async () => {
  const all = await load(archive());
  expect([...new Float32Array(all.get('t')!.buffer as ArrayBuffer)]).toEqual([0, 1, 2, 3, 4, 5]);
  expect((await load(zip(archiveParts(), { wide: {} }))).size).toBe(1);
});

test('an honest large archive may keep its sizes in the wide fields', async () => {
  const extra = concat(u16(1), u16(16), u64(24), u64(24));
  expect((await load(changed(2, { central: { size: FULL, packed: FULL, extra } }, { wide: {} }))).size).toBe(1);
});

const tricks: [name: string, bytes: () => Uint8Array, says: RegExp][] = [
  ['a compressed entry', () => changed(2, { central: { method: 8 } }), /FILE_REFUSED .*data\/0.*compressed/],
  [
    'a compressed pickle',
    () => changed(0, { central: { method: 8 }, local: { method: 8 } }),
    /FILE_REFUSED .*data\.pkl/,
  ],
  ['an encrypted entry', () => changed(2, { central: { flags: 0x809 } }), /FILE_REFUSED .*data\/0.*encrypted/],
  ['strong encryption', () => changed(2, { central: { flags: 0x848 } }), /FILE_REFUSED .*data\/0/],
  ['a wrong checksum of a tensor', () => changed(2, { central: { crc: 1 } }), /DIGEST_MISMATCH .*data\/0/],
  ['a wrong checksum of the pickle', () => changed(0, { central: { crc: 1 } }), /DIGEST_MISMATCH .*data\.pkl/],
  [
    'another name inside',
    () => changed(2, { local: { name: 'model/data/1' } }),
    /FILE_MALFORMED .*data\/0.*contradicts/,
  ],
  ['a longer name inside', () => changed(2, { local: { name: 'model/data/00' } }), /FILE_MALFORMED .*data\/0/],
  ['another method inside', () => changed(2, { local: { method: 8 } }), /FILE_MALFORMED .*data\/0/],
  ['another size inside', () => changed(2, { local: { size: 7 } }), /FILE_MALFORMED .*data\/0/],
  ['another checksum inside', () => changed(2, { local: { crc: 7 } }), /FILE_MALFORMED .*data\/0/],
  ['encryption only inside', () => changed(2, { local: { flags: 0x809 } }), /FILE_MALFORMED .*data\/0/],
  ['two sizes for one stored entry', () => changed(2, { central: { packed: 12 } }), /FILE_MALFORMED .*12 bytes for 24/],
  ['a size beyond the file', () => changed(2, { central: { packed: 1e6, size: 1e6 } }), /FILE_TRUNCATED/],
  ['a size into the next entry', () => changed(2, { central: { packed: 30, size: 30 } }), /overlaps/],
  [
    'the last entry reaching into the directory',
    () => changed(3, { central: { packed: 9, size: 9 } }),
    /FILE_MALFORMED .*directory/,
  ],
  [
    'two entries over the same bytes',
    () => changed(2, { central: { offset: 0, name: 'model/data.pkl' } }),
    /FILE_MALFORMED/,
  ],
  ['an overlapped bomb', () => zip([...archiveParts(), ...bomb(200)]), /FILE_MALFORMED .*overlaps/],
  ['an offset beyond the file', () => changed(2, { central: { offset: 1e8 } }), /FILE_TRUNCATED/],
  ['an offset to nowhere', () => changed(2, { central: { offset: 3 } }), /FILE_MALFORMED/],
  ['one name twice', () => withPart({ name: 'model/data/0', data: one }), /FILE_MALFORMED .*two entries/],
  ['two pickles', () => withPart({ name: 'other/data.pkl', data: pickle(P.none) }), /FILE_MALFORMED .*2 data\.pkl/],
  ['no pickle', () => zip(archiveParts().slice(1)), /FILE_MALFORMED .*0 data\.pkl/],
  ['an empty archive', () => zip([]), /FILE_MALFORMED/],
  ['a program', () => withPart({ name: 'model/constants.pkl', data: one }), /FILE_REFUSED .*TorchScript/],
  ['a name that climbs', () => withPart({ name: 'model/../../etc/passwd', data: one }), /FILE_REFUSED .*passwd/],
  ['an absolute name', () => withPart({ name: '/etc/passwd', data: one }), /FILE_REFUSED .*passwd/],
  ['a drive', () => withPart({ name: 'C:/windows', data: one }), /FILE_REFUSED .*windows/],
  ['a backslash', () => withPart({ name: 'model\\x', data: one }), /FILE_REFUSED/],
  ['a zero byte in a name', () => withPart({ name: 'model/x\0.pkl', data: one }), /FILE_REFUSED/],
  ['an empty part in a name', () => withPart({ name: 'model//x', data: one }), /FILE_REFUSED/],
  [
    'bytes before',
    () => zip(archiveParts(), { prefix: Uint8Array.of(0x50, 0x4b, 3, 4, 0, 0) }),
    /FILE_MALFORMED .*byte 0/,
  ],
  ['bytes behind', () => zip(archiveParts(), { suffix: one }), /FILE_TRUNCATED/],
  ['a comment', () => zip(archiveParts(), { comment: 'PK' }), /FILE_TRUNCATED/],
  ['too few entries counted', () => zip(archiveParts(), { count: 3 }), /FILE_MALFORMED .*no entry/],
  ['too many entries counted', () => zip(archiveParts(), { count: 5 }), /FILE_MALFORMED .*entry 5 of 5/],
  ['a directory elsewhere', () => zip(archiveParts(), { directoryOffset: 0 }), /FILE_MALFORMED .*directory/],
  ['a directory of another size', () => zip(archiveParts(), { directorySize: 10 }), /FILE_MALFORMED .*directory/],
  ['several disks', () => zip(archiveParts(), { disk: 1 }), /FILE_REFUSED .*several parts/],
  [
    'wide numbers that lie about the count',
    () => zip(archiveParts(), { wide: { count: 3 } }),
    /FILE_MALFORMED .*contradict/,
  ],
  [
    'wide numbers that lie about the place',
    () => zip(archiveParts(), { wide: { at: 0 } }),
    /FILE_MALFORMED .*contradict/,
  ],
  [
    'wide numbers that lie about the directory',
    () => zip(archiveParts(), { wide: { offset: 1 } }),
    /FILE_MALFORMED .*contradict/,
  ],
  [
    'wide sizes that are missing',
    () => changed(2, { central: { size: FULL, packed: FULL } }),
    /FILE_MALFORMED .*large sizes/,
  ],
  [
    'a huge wide size',
    () =>
      changed(2, {
        central: { size: FULL, packed: FULL, extra: concat(u16(1), u16(16), u64(2n ** 60n), u64(2n ** 60n)) },
      }),
    /FILE_TRUNCATED/,
  ],
  ['more than 10,000 entries', () => zip([...archiveParts(), ...many(10_001)]), /BUDGET_EXCEEDED/],
  ['an unknown byte order', () => changed(1, { data: Uint8Array.of(1) }), /FILE_MALFORMED .*byteorder/],
  [
    'bytes behind the pickle',
    () => archive(concat(pickle(P.dict({ t: tensorPickle() })), one)),
    /FILE_MALFORMED .*data\.pkl/,
  ],
  [
    'a storage that is not there',
    () => archive(pickle(P.dict({ t: tensorPickle({ key: '7' }) }))),
    /FILE_MALFORMED .*'7'/,
  ],
  [
    'a storage by a name that climbs',
    () => archive(pickle(P.dict({ t: tensorPickle({ key: '../version' }) }))),
    /FILE_MALFORMED/,
  ],
  [
    'a storage of another size',
    () => archive(pickle(P.dict({ t: tensorPickle({ count: 7 }) }))),
    /FILE_MALFORMED .*24 bytes, not 28/,
  ],
];

/** Entries that all claim the bytes of the first tensor. */
function bomb(count: number): ZipPart[] {
  return Array.from({ length: count }, (_, i) => ({
    name: `model/data/${i + 1}`,
    data: new Uint8Array(0),
    central: { offset: 0, size: 24, packed: 24 },
  }));
}

function many(count: number): ZipPart[] {
  return Array.from({ length: count }, (_, i) => ({ name: `model/x/${i}`, data: new Uint8Array(0) }));
}

test.each(tricks)('%s is refused', async (_, make, says) => {
  const error = await rejection(() => load(make()));
  expect(`${error.code} ${error.message}`).toMatch(says);
});

import { Random } from '@rcnn/core/random';
import { effort } from '@rcnn/shared/effort';
import { expect, test } from 'vitest';
import {
  bytesSource,
  DTYPES,
  type DType,
  memoryEntry,
  openSafetensors,
  openTensors,
  safetensorsFile,
} from '../src/index.ts';
import { concat, rawSafetensors } from './forge.ts';
import { collect, expectReject, randomBytesTensor, randomTensor, rejection } from './helpers.ts';

test('tensors of every type come back as they were written', async () => {
  const tensors = Object.entries(DTYPES).map(([name, { size }]) =>
    randomBytesTensor(name, name as DType, [2, 3], size),
  );
  const file = safetensorsFile([...tensors, randomTensor('scalar', []), randomTensor('empty', [0, 4])], {
    note: 'ä "x"',
  });
  const bytes = await collect(file.chunks());
  expect(bytes.byteLength).toBe(file.byteLength);
  const source = await openTensors(bytesSource(bytes));
  expect(source.metadata.get('note')).toBe('ä "x"');
  expect(source.tensors.size).toBe(tensors.length + 2);
  for (const tensor of tensors) {
    const read = source.tensors.get(tensor.name)!;
    expect([read.dtype, read.shape]).toEqual([tensor.dtype, tensor.shape]);
    expect(await read.read()).toEqual(await tensor.read());
  }
  expect((await source.tensors.get('scalar')!.read()).byteLength).toBe(4);
  expect((await source.tensors.get('empty')!.read()).byteLength).toBe(0);
});

test('every tensor is aligned to its type', async () => {
  const tensors = [
    randomBytesTensor('b', 'uint8', [3], 1),
    randomBytesTensor('d', 'float64', [1], 8),
    randomTensor('f', [1]),
  ];
  const bytes = await collect(safetensorsFile(tensors).chunks());
  const header = JSON.parse(Buffer.from(bytes.subarray(8)).toString().split('}}')[0]! + '}}') as Record<
    string,
    { data_offsets: [number, number] }
  >;
  expect(Object.keys(header)).toEqual(['d', 'f', 'b']);
  expect(Object.values(header).map(({ data_offsets }) => data_offsets[0])).toEqual([0, 8, 12]);
});

test('a header in another order and with other spaces is read too', async () => {
  const header =
    '{ "b" : {"dtype":"U8","data_offsets":[2,3],"shape":[1]},\n"a":{"shape":[2],"dtype":"U8","data_offsets":[0,2]} }  ';
  const { tensors } = await openTensors(bytesSource(rawSafetensors(header, Uint8Array.of(7, 8, 9))));
  expect([...(await tensors.get('a')!.read())]).toEqual([7, 8]);
  expect([...(await tensors.get('b')!.read())]).toEqual([9]);
});

test('two tensors of one name cannot be written', async () => {
  await expectReject(() => safetensorsFile([randomTensor('a', [1]), randomTensor('a', [1])]), 'INVALID_ARGUMENT', 'a');
});

test('a source that gives too little does not make a broken file', async () => {
  const liar = { ...randomTensor('a', [4]), byteLength: 20 };
  await expectReject(collect(safetensorsFile([liar]).chunks()), 'SHAPE_MISMATCH', 'a');
  await expectReject(() => memoryEntry('b', 'float32', [2], new Float32Array(3)), 'SHAPE_MISMATCH', 'b');
});

const u8 = (name: string, shape: string, offsets: string, dtype = '"U8"', more = '') =>
  `${JSON.stringify(name)}:{"dtype":${dtype},"shape":${shape},"data_offsets":${offsets}${more}}`;
const file = (entries: string, data: number | Uint8Array = 2) => rawSafetensors(`{${entries}}`, data);

const malformed: [name: string, bytes: () => Uint8Array, says: RegExp][] = [
  ['an empty file', () => new Uint8Array(0), /FILE_TRUNCATED .*0 bytes/],
  ['seven bytes', () => new Uint8Array(7), /FILE_TRUNCATED .*7 bytes/],
  [
    'half a character in a name',
    () => file(`"a\\ud800":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}`),
    /FILE_MALFORMED .*half a character/,
  ],
  ['a header longer than the file', () => rawSafetensors('{}', 0, 3), /FILE_TRUNCATED .*10 bytes, expected 11/],
  ['a header of 2^63 bytes', () => rawSafetensors('{}', 0, 2n ** 63n), /FILE_MALFORMED .*byte 0.*too long/],
  ['a header over the limit', () => rawSafetensors('{}', 0, 100_000_001), /FILE_MALFORMED .*too long/],
  ['no header', () => rawSafetensors('', 0), /FILE_MALFORMED .*'\{'/],
  ['a header that is a list', () => rawSafetensors('[]'), /FILE_MALFORMED .*'\{'/],
  [
    'a header that is not UTF-8',
    () => rawSafetensors(concat('{"', Uint8Array.of(0xff), '":1}')),
    /FILE_MALFORMED .*UTF-8/,
  ],
  ['a byte order mark', () => rawSafetensors(concat(Uint8Array.of(0xef, 0xbb, 0xbf), '{}')), /FILE_MALFORMED .*'\{'/],
  ['a header without an end', () => rawSafetensors('{"a":'), /FILE_MALFORMED .*character 5/],
  ['two values', () => rawSafetensors('{}{}'), /FILE_MALFORMED .*character 2/],
  ['a comma too many', () => rawSafetensors('{"a":1,}'), /FILE_MALFORMED .*character 7/],
  ['single quotes', () => rawSafetensors("{'a':1}"), /FILE_MALFORMED .*character 1/],
  [
    'a name given twice',
    () => file(`${u8('a', '[2]', '[0,2]')},${u8('a', '[2]', '[0,2]')}`),
    /FILE_MALFORMED .*'a' comes twice/,
  ],
  [
    'a field given twice',
    () => file(u8('a', '[2]', '[0,2]', '"U8"', ',"shape":[2]')),
    /FILE_MALFORMED .*'shape' comes twice/,
  ],
  [
    'a name twice by an escape',
    () => file(`${u8('a', '[1]', '[0,1]')},"\\u0061":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}`),
    /comes twice/,
  ],
  ['the name __proto__', () => file(u8('__proto__', '[2]', '[0,2]')), /FILE_REFUSED .*__proto__/],
  ['the name constructor', () => file(u8('constructor', '[2]', '[0,2]')), /FILE_REFUSED .*constructor/],
  ['a tensor that is a number', () => file('"a":1'), /FILE_MALFORMED .*'a'.*object/],
  ['an unknown field', () => file(u8('a', '[2]', '[0,2]', '"U8"', ',"x":1')), /FILE_MALFORMED .*'a'.*'x'/],
  ['an unknown dtype', () => file(u8('a', '[2]', '[0,2]', '"F7"')), /FILE_MALFORMED .*'a'.*F7/],
  ['a dtype that is a number', () => file(u8('a', '[2]', '[0,2]', '8')), /FILE_MALFORMED .*'a'.*dtype \(none\)/],
  ['no dtype', () => file('"a":{"shape":[2],"data_offsets":[0,2]}'), /FILE_MALFORMED .*'a'.*dtype/],
  ['no shape', () => file('"a":{"dtype":"U8","data_offsets":[0,2]}'), /FILE_MALFORMED .*'a'.*shape/],
  ['no offsets', () => file('"a":{"dtype":"U8","shape":[2]}'), /FILE_MALFORMED .*'a'.*data_offsets/],
  ['a negative side', () => file(u8('a', '[-2]', '[0,2]')), /FILE_MALFORMED .*'a'.*shape/],
  ['half a side', () => file(u8('a', '[1.5]', '[0,2]')), /FILE_MALFORMED .*'a'.*shape/],
  ['a side beyond 2^53', () => file(u8('a', '[9007199254740993]', '[0,2]')), /FILE_MALFORMED .*'a'.*shape/],
  ['a side as text', () => file(u8('a', '["2"]', '[0,2]')), /FILE_MALFORMED .*'a'.*shape/],
  ['a shape that overflows', () => file(u8('a', '[4294967296,4294967296]', '[0,2]')), /FILE_MALFORMED .*'a'.*2\^53/],
  ['65 sides', () => file(u8('a', `[${'1,'.repeat(64)}2]`, '[0,2]')), /FILE_MALFORMED .*'a'.*shape/],
  ['offsets backwards', () => file(u8('a', '[2]', '[2,0]')), /FILE_MALFORMED .*'a'.*\[begin, end\]/],
  ['three offsets', () => file(u8('a', '[2]', '[0,1,2]')), /FILE_MALFORMED .*'a'.*\[begin, end\]/],
  [
    'a size that is not the shape',
    () => file(u8('a', '[3]', '[0,2]')),
    /FILE_MALFORMED .*'a'.*found 2 bytes, expected 3/,
  ],
  ['a size that is not the dtype', () => file(u8('a', '[2]', '[0,2]', '"F32"')), /FILE_MALFORMED .*'a'.*expected 8/],
  ['a hole at the beginning', () => file(u8('a', '[1]', '[1,2]')), /FILE_MALFORMED .*'a', byte 1.*hole/],
  [
    'a hole between',
    () => file(`${u8('a', '[1]', '[0,1]')},${u8('b', '[1]', '[2,3]')}`, 3),
    /FILE_MALFORMED .*'b', byte 2.*hole/,
  ],
  [
    'an overlap',
    () => file(`${u8('a', '[2]', '[0,2]')},${u8('b', '[2]', '[1,3]')}`, 3),
    /FILE_MALFORMED .*'b', byte 1.*overlaps/,
  ],
  [
    'one tensor inside another',
    () => file(`${u8('a', '[3]', '[0,3]')},${u8('b', '[1]', '[1,2]')}`, 3),
    /FILE_MALFORMED .*'b'.*overlaps/,
  ],
  ['a tensor past the end', () => file(u8('a', '[3]', '[0,3]')), /FILE_TRUNCATED .*'a'.*2 bytes of data, expected 3/],
  ['bytes behind the last tensor', () => file(u8('a', '[1]', '[0,1]')), /FILE_MALFORMED .*byte 1.*belong to no tensor/],
  ['bytes without a tensor', () => rawSafetensors('{}', 1), /FILE_MALFORMED .*byte 0.*belong to no tensor/],
  ['metadata that are a list', () => rawSafetensors('{"__metadata__":[]}'), /FILE_MALFORMED .*__metadata__/],
  ['metadata with a number', () => rawSafetensors('{"__metadata__":{"a":1}}'), /FILE_MALFORMED .*__metadata__\.a/],
  [
    '100,002 tensors',
    () => rawSafetensors(`{${Array.from({ length: 100_002 }, (_, i) => u8(`t${i}`, '[0]', '[0,0]')).join()}}`),
    /BUDGET_EXCEEDED/,
  ],
  ['nesting without end', () => rawSafetensors(`{"a":${'['.repeat(100_000)}`), /FILE_MALFORMED .*deeper/],
];

test.each(malformed)('%s is refused, and the place is named', async (_, make, says) => {
  const open = async (): Promise<unknown> => openSafetensors(bytesSource(make(), 'bad.safetensors'));
  const { spent, result: error } = await effort(() => rejection(open));
  expect(spent).toBeLessThan(25); // about 5
  expect(`${error.code} ${error.message}`).toMatch(says);
  expect(error.where).toBe('bad.safetensors');
});

test('a file cut anywhere is refused', async () => {
  const random = new Random(9);
  for (let n = 0; n < 3; n++) {
    const tensors = Array.from({ length: 3 }, (_, i) => randomTensor(`t${n}.${i}`, [1 + random.integer(50)]));
    const bytes = await collect(safetensorsFile(tensors, { a: 'b' }).chunks());
    for (let cut = 0; cut < bytes.length; cut++) {
      const error = await rejection(() => openTensors(bytesSource(bytes.subarray(0, cut))));
      expect(['FILE_TRUNCATED', 'FILE_MALFORMED']).toContain(error.code);
    }
  }
});

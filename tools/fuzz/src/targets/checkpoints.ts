import { readdirSync, readFileSync } from 'node:fs';
import { bytesSource, checkpointFile, openCheckpoint, torchvisionProfile } from '@rcnn/checkpoint';
import { nodeHashing } from '@rcnn/checkpoint/node';
import type { Random } from '@rcnn/core/random';
import { unpickle } from '../../../../packages/checkpoint/src/pth/pickle/machine.ts';
import { parseStrictJson } from '../../../../packages/checkpoint/src/strict-json.ts';
import { archive, P, pickle, rawSafetensors, tensorPickle } from '../../../../packages/checkpoint/test/forge.ts';
import { randomTensor } from '../../../../packages/checkpoint/test/helpers.ts';
import { changedValue } from '../mutate.ts';
import { bytesOf, type Target, textOf } from '../target.ts';

const FIXTURES = new URL('../../../../packages/checkpoint/test/fixtures/pth/', import.meta.url);

/** Opens any file of weights and reads all of it. */
async function readWeights(bytes: Uint8Array): Promise<void> {
  const checkpoint = await openCheckpoint(bytesSource(bytes, 'fuzz'), nodeHashing);
  await checkpoint.verify();
}

/** Small files that PyTorch wrote. */
const written: readonly Uint8Array[] = readdirSync(FIXTURES)
  .filter((name) => name.endsWith('.pth') && !name.startsWith('hostile') && name !== 'many_tensors.pth')
  .map((name) => new Uint8Array(readFileSync(new URL(name, FIXTURES))));

/** Every opcode of protocols 0 to 5, by its character or number. */
const OPCODES: readonly number[] = [
  ...Buffer.from('.NKMJILFGXVSTUBC(]lae)td}su012pqrghjcRiobQPtkD'),
  ...Array.from({ length: 0x99 - 0x80 }, (_, i) => 0x80 + i),
];

/** Opcodes and whole values in any order, ended as a pickle is. */
function opcodes(random: Random): Uint8Array {
  const parts: Uint8Array[] = [];
  for (let count = random.integer(60); count >= 0; count--) {
    switch (random.integer(6)) {
      case 0:
        parts.push(
          tensorPickle({ count: random.integer(9), shape: [random.integer(4), 2], offset: random.integer(3) }),
        );
        break;
      case 1:
        parts.push(P.text(random.pick(['a', 'storage', '', '__proto__', 'state_dict'])), P.int(random.integer(5)));
        break;
      case 2:
        parts.push(
          P.global(
            random.pick(['torch', 'collections', 'torch._utils', '__builtin__', 'numpy', '_codecs']),
            random.pick(['FloatStorage', 'OrderedDict', '_rebuild_tensor_v2', 'eval', 'dtype', 'encode', 'set']),
          ),
        );
        break;
      default:
        parts.push(Uint8Array.of(random.pick(OPCODES), ...(random.chance(0.3) ? [random.integer(256)] : [])));
    }
  }
  return pickle(...parts);
}

const header = {
  __metadata__: { format: 'pt', note: 'x' },
  'a.weight': { dtype: 'F32', shape: [3, 2], data_offsets: [0, 24] },
  b: { dtype: 'I64', shape: [], data_offsets: [24, 32] },
  c: { dtype: 'BF16', shape: [0, 4], data_offsets: [32, 32] },
};
const data = new Uint8Array(32).fill(1);

async function ours(): Promise<Uint8Array> {
  const profile = torchvisionProfile({ source: 'fuzz', architecture: 'maskrcnn_small', numClasses: 3 });
  const groups = { optimizer: [randomTensor('a', [3])] };
  const info = { kind: 'training', position: { step: 1 } };
  const file = await checkpointFile({ weights: [randomTensor('a', [3])], groups, info, profile }, nodeHashing);
  const chunks: Uint8Array[] = [];
  for await (const chunk of file.chunks()) chunks.push(Uint8Array.from(chunk));
  return new Uint8Array(Buffer.concat(chunks));
}

export const checkpoints: readonly Target[] = [
  {
    name: 'pth',
    share: 2,
    seeds: [...written, archive()],
    words: ['PK\u0001\u0002', 'PK\u0003\u0004', 'PK\u0005\u0006', 'data.pkl', 'ctorch\nFloatStorage\n', '\u0080\u0002'],
    invent: (random) => archive(opcodes(random), new Uint8Array(random.integer(64))),
    read: readWeights,
  },
  {
    name: 'pickle',
    share: 30,
    seeds: [
      pickle(P.dict({ a: P.int(1), b: P.list(P.none, P.tuple(P.text('x'))) })),
      pickle(P.text('long'.repeat(40))),
    ],
    words: ['ctorch\nFloatStorage\n', 'ccollections\nOrderedDict\n', 'c__builtin__\neval\n'],
    invent: opcodes,
    read: (bytes) => unpickle(bytes, 0, { where: 'fuzz' }),
  },
  {
    name: 'safetensors',
    share: 8,
    seeds: [rawSafetensors(JSON.stringify(header), data), await ours()],
    words: ['"dtype":"F32"', '"shape":[', '"data_offsets":[0,8]', '"__metadata__":{', '"rcnn.info":"'],
    invent: (random) => rawSafetensors(JSON.stringify(changedValue(header, random)), data),
    read: readWeights,
  },
  {
    name: 'strict-json',
    share: 30,
    seeds: [bytesOf(header), bytesOf([1, -2.5e3, 'a\n\u00e9', null, true, { a: [] }])],
    invent: (random) => bytesOf(changedValue(header, random)),
    read(bytes) {
      const text = textOf(bytes);
      const value = parseStrictJson(text, 'fuzz', { maxDepth: 50 });
      JSON.parse(text); // what is accepted is JSON
      return value;
    },
  },
];

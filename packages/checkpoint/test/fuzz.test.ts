import { isRcnnError } from '@rcnn/core/errors';
import { Random } from '@rcnn/core/random';
import { effortUnit } from '@rcnn/shared/effort';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { bytesSource, checkpointFile, openCheckpoint, safetensorsFile } from '../src/index.ts';
import { nodeHashing } from '../src/node/index.ts';
import { unpickle } from '../src/pth/pickle/machine.ts';
import { parseStrictJson, type StrictJson } from '../src/strict-json.ts';
import { archive } from './forge.ts';
import { collect, fixture, randomTensor, repeats } from './helpers.ts';

/** Opens and reads all of a file. True when it was accepted, false when it was refused; anything else fails. */
async function survives(bytes: Uint8Array): Promise<boolean> {
  try {
    const checkpoint = await openCheckpoint(bytesSource(bytes, 'fuzz'), nodeHashing);
    await checkpoint.verify();
    return true;
  } catch (error) {
    if (isRcnnError(error)) return false;
    throw error;
  }
}

/** Damages a copy of `bytes` in one to four places: flips, numbers at their limits, cuts, moves, repeats. */
function mutate(bytes: Uint8Array, random: Random): Uint8Array {
  let result = Buffer.from(bytes);
  for (let times = 1 + random.integer(4); times > 0; times--) {
    const at = random.integer(Math.max(1, result.length));
    const to = Math.min(result.length, at + 1 + random.integer(16));
    switch (random.integer(6)) {
      case 0:
        result[at]! ^= 1 << random.integer(8);
        break;
      case 1:
        result.fill(random.pick([0, 0x7f, 0x80, 0xff]), at, to);
        break;
      case 2:
        result = result.subarray(0, at);
        break;
      case 3:
        result = Buffer.concat([result.subarray(0, at), result.subarray(to)]);
        break;
      case 4:
        result = Buffer.concat([result.subarray(0, to), result.subarray(at)]);
        break;
      default:
        result[at] = random.integer(256);
    }
  }
  return new Uint8Array(result);
}

const seeds: [string, () => Promise<Uint8Array> | Uint8Array][] = [
  ['a zip archive', () => archive()],
  ['views of one storage', () => fixture('pth/shared_storage.pth')],
  ['a nested checkpoint', () => fixture('pth/training_checkpoint.pth')],
  ['protocol 4', () => fixture('pth/pickle_protocol_4.pth')],
  ['the legacy form', () => fixture('pth/legacy_tar.pth')],
  [
    'safetensors',
    () => collect(safetensorsFile([randomTensor('a', [2, 3]), randomTensor('b', [])], { x: 'y' }).chunks()),
  ],
  ['a checkpoint of ours', () => collectOurs()],
];

async function collectOurs(): Promise<Uint8Array> {
  const groups = { optimizer: [randomTensor('a', [3])] };
  return collect((await checkpointFile({ weights: [randomTensor('a', [3])], groups, info: { x: [1] } })).chunks());
}

test.each(seeds)('damaged %s is read or refused, never anything else', async (name, make) => {
  const good = await make();
  expect(await survives(good)).toBe(true);
  const random = new Random(1).fork(name);
  const runs = repeats(500);
  let refused = 0;
  let hardest = 0;
  for (let run = 0; run < runs; run++) {
    const bad = mutate(good, random);
    const before = process.cpuUsage();
    if (!(await survives(bad))) refused++;
    const { user, system } = process.cpuUsage(before);
    hardest = Math.max(hardest, user + system);
  }
  expect(refused).toBeGreaterThan(runs / 10);
  expect(hardest / effortUnit()).toBeLessThan(20);
});

test('random bytes are never a checkpoint', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 600 }), async (bytes) => {
      expect(await survives(bytes)).toBe(false);
    }),
    { seed: 5, numRuns: repeats(300) },
  );
});

test('random opcodes are never a crash', () => {
  const opcodes = fc.constantFrom(
    ...Array.from(Buffer.from('.NKMJILFGXVSTUBC(]lae)td}su012pqrghjcRiobQP')),
    0x80,
    0x81,
    0x85,
    0x86,
    0x87,
    0x88,
    0x8a,
    0x8c,
    0x8f,
    0x90,
    0x91,
    0x92,
    0x93,
    0x94,
    0x95,
  );
  const bytes = fc.array(fc.oneof({ weight: 5, arbitrary: opcodes }, fc.integer({ min: 0, max: 255 })), {
    maxLength: 200,
  });
  fc.assert(
    fc.property(bytes, (list) => {
      try {
        unpickle(Uint8Array.from([...list, 0x2e]), 0, { where: 'fuzz' });
      } catch (error) {
        if (!isRcnnError(error)) throw error;
      }
    }),
    { seed: 6, numRuns: repeats(3000) },
  );
});

function plain(value: StrictJson): unknown {
  if (value instanceof Map)
    return Object.fromEntries([...value].map(([key, item]) => [key, plain(item as StrictJson)]));
  return Array.isArray(value) ? value.map(plain) : value;
}

test('the strict JSON reader agrees with JSON.parse', () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 5 }), (text) => {
      fc.pre(!text.includes('__proto__'));
      expect(plain(parseStrictJson(text, 'x'))).toEqual(JSON.parse(text));
    }),
    { seed: 7, numRuns: repeats(300) },
  );
});

test('the strict JSON reader refuses what JSON.parse refuses', () => {
  const near = fc.string({ unit: fc.constantFrom(...Array.from('{}[]":,0123.-+eE\\untrfals ')), maxLength: 12 });
  fc.assert(
    fc.property(near, (text) => {
      let expected = true;
      try {
        JSON.parse(text);
      } catch {
        expected = false;
      }
      let found = true;
      try {
        parseStrictJson(text, 'x', { maxDepth: 20 });
      } catch (error) {
        if (!isRcnnError(error, 'FILE_MALFORMED')) throw error;
        found = error.message.includes('twice');
      }
      expect(found).toBe(expected);
    }),
    { seed: 8, numRuns: repeats(5000) },
  );
});

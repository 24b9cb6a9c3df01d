import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeShapes } from '@rcnn/coco-data/node';
import type { RcnnError } from '@rcnn/core';
import { inTurns } from '@rcnn/distributed/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type PartialConfig, resolveConfig, resume, type TrainOptions, train } from '../src/index.ts';
import { asOnRankZero } from '../src/run/agree.ts';
import { ready } from './engine.ts';

let folder: string;
beforeAll(async () => {
  await ready;
  folder = mkdtempSync(join(tmpdir(), 'agree-'));
  await writeShapes(join(folder, 'a'), { splits: { train: 2 }, size: [48, 64] });
  await writeShapes(join(folder, 'b'), { splits: { train: 3 }, size: [48, 64] });
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Why each of two ranks refused to begin. */
async function refusals(configOf: (rank: number) => PartialConfig): Promise<RcnnError[]> {
  const endings = await inTurns(2, (group) => {
    const { rank, size } = group;
    const options: TrainOptions = {
      membership: { rank, size, join: async () => group },
      useEngine: async () => ({ name: 'cpu' }),
      shouldStop: () => true,
    };
    return train({ preset: 'quick', workers: 0, out: join(folder, 'runs'), ...configOf(rank) }, options);
  });
  return endings.map((ending) => (ending as PromiseRejectedResult).reason as RcnnError);
}

test.each<[string, (rank: number) => PartialConfig, RegExp]>([
  [
    'options',
    (rank) => ({ data: join(folder, 'a'), seed: rank, epochs: 2 + rank }),
    /epochs: 3 here, 2 there; seed: 1 here, 0 there/,
  ],
  [
    'data',
    (rank) => ({ data: join(folder, rank === 0 ? 'a' : 'b') }),
    /training data: 3 images .* here, 2 images .* there/,
  ],
])('other %s on one process are named, before anything is written', async (_, configOf, message) => {
  const [first, second] = await refusals(configOf);
  expect(second).toMatchObject({ code: 'CONFIG_INVALID', where: 'rank 1' });
  expect(second!.message).toMatch(message);
  expect(first).toMatchObject({ code: 'PEER_FAILED', message: expect.stringContaining('rank 1') });
  expect(existsSync(join(folder, 'runs'))).toBe(false);
});

test('data that cannot be opened on one process end all', async () => {
  const [first, second] = await refusals((rank) => ({ data: join(folder, rank === 0 ? 'a' : 'nowhere') }));
  expect(first).toMatchObject({ code: 'PEER_FAILED', message: expect.stringContaining(second!.code) });
});

test('a run that the first process has not got is refused on all', async () => {
  const endings = await inTurns(2, (group) => {
    const { rank, size } = group;
    const membership = { rank, size, join: async () => group };
    return resume(join(folder, 'nothing'), {}, { membership, useEngine: async () => ({ name: 'cpu' }) });
  });
  expect((endings[0] as PromiseRejectedResult).reason).toMatchObject({ code: 'FILE_MISSING' });
  expect(endings[1]!.status).toBe('rejected');
});

test('who goes on without the folder has the options of the first process, and its own paths and threads', () => {
  const first = resolveConfig({ data: '/there', batchSize: 4, threads: 2 });
  expect(asOnRankZero(first, { data: '/here', threads: 1, batchSize: 9 })).toEqual({
    ...first,
    data: '/here',
    threads: 1,
  });
});

import '@tensorflow/tfjs-backend-cpu';
import { RcnnError } from '@rcnn/core/errors';
import { expectNoLeak } from '@rcnn/core/testing';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, test } from 'vitest';
import { broadcastBytes, broadcastValue, gather, onRankZero, type ProcessGroup } from '../src/index.ts';
import { failingAt, inTurns } from '../src/testing.ts';

/** The results of all ranks; fails when one failed. */
async function onAll<T>(size: number, body: (group: ProcessGroup) => Promise<T>): Promise<T[]> {
  const endings = await inTurns(size, body);
  return endings.map((ending) => {
    if (ending.status === 'rejected') throw ending.reason;
    return ending.value;
  });
}

describe.each([1, 2, 3, 7])('%i ranks', (size) => {
  test('learn the numbers of all', async () => {
    const numbers = [0, 1, 65535, 257];
    const ofAll = Array.from({ length: size }, (_, rank) => numbers.map((number) => (number + rank) % 65536));
    const answers = await onAll(size, (group) => gather(group, ofAll[group.rank]!));
    for (const answer of answers) expect(answer).toEqual(ofAll);
  });

  test.each([0, 1, 2, 255, 70_001])('%i bytes come as they were', async (length) => {
    const bytes = Uint8Array.from({ length }, (_, i) => (i * 31) % 256);
    const from = size - 1;
    const answers = await onAll(size, (group) =>
      broadcastBytes(group, group.rank === from ? bytes : new Uint8Array(3), from),
    );
    for (const answer of answers) expect(Buffer.compare(answer, bytes)).toBe(0);
  });

  test('a value comes as JSON, and no tensor stays', async () => {
    await expectNoLeak(async () => {
      const answers = await onAll(size, (group) => broadcastValue(group, { rank: group.rank, text: 'ä✓' }));
      for (const answer of answers) expect(answer).toEqual({ rank: 0, text: 'ä✓' });
    });
  });

  test('rank 0 works for all, and fails for all', async () => {
    const answers = await onAll(size, (group) => onRankZero(group, async () => group.rank + 5));
    expect(answers).toEqual(answers.map(() => 5));
    const broken = new RcnnError('DISK_FULL', { where: 'runs/a', problem: 'the disk is full' });
    const endings = await inTurns(size, (group) => onRankZero(group, () => Promise.reject(broken)));
    const [own, ...others] = endings as PromiseRejectedResult[];
    expect(own!.reason).toBe(broken);
    for (const { reason } of others) {
      expect(reason).toMatchObject({ code: 'PEER_FAILED', message: expect.stringContaining('rank 0') });
      expect(reason.message).toContain('the disk is full');
    }
  });
});

test('ranks take turns: never two at once, always in the same order', async () => {
  const seen: string[] = [];
  await onAll(3, async (group) => {
    for (const step of [1, 2]) {
      seen.push(`${group.rank} begins ${step}`);
      await new Promise((resolve) => setImmediate(resolve));
      seen.push(`${group.rank} ends ${step}`);
      await group.barrier();
    }
  });
  const expected = [1, 2].flatMap((step) =>
    [0, 1, 2].flatMap((rank) => [`${rank} begins ${step}`, `${rank} ends ${step}`]),
  );
  expect(seen).toEqual(expected);
});

test('a rank that fails in its second meeting ends the others there', async () => {
  const passed = [0, 0];
  const endings = await inTurns(2, async (inner) => {
    const group = inner.rank === 1 ? failingAt(inner, 2, () => new Error('killed')) : inner;
    for (;;) {
      await group.barrier();
      passed[group.rank]!++;
    }
  });
  expect(passed).toEqual([1, 1]);
  expect(endings.map((ending) => (ending as PromiseRejectedResult).reason)).toMatchObject([
    { code: 'PEER_LOST', message: expect.stringContaining('rank 1') },
    { message: 'killed' },
  ]);
});

test('after a reset all go on, and the one that had left', async () => {
  const means = await onAll(2, async (group) => {
    if (group.rank === 1) group.close();
    else await expect(group.barrier()).rejects.toMatchObject({ code: 'PEER_LOST' });
    await group.reset();
    const [mean] = await group.allReduceMean([tf.tensor1d([group.rank])]);
    return mean!.dataSync()[0];
  });
  expect(means).toEqual([0.5, 0.5]);
});

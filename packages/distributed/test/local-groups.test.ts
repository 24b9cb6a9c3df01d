import '@tensorflow/tfjs-backend-cpu';
import { expectNoLeak } from '@rcnn/core/testing';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, test } from 'vitest';
import { localGroups, type ProcessGroup } from '../src/index.ts';

const values = (tensors: readonly tf.Tensor[]): number[][] => tensors.map((tensor) => [...tensor.dataSync()]);

/** What every rank gets when all do the same. */
function onAll<T>(groups: readonly ProcessGroup[], work: (group: ProcessGroup) => Promise<T>): Promise<T[]> {
  return Promise.all(groups.map((group) => work(group)));
}

describe.each([1, 2, 3])('%i ranks', (size) => {
  test('know themselves, and get one mean', async () => {
    const groups = localGroups(size);
    expect(groups.map(({ rank }) => rank)).toEqual([...groups.keys()]);
    expect(groups.every((group) => group.size === size)).toBe(true);
    const means = await onAll(groups, (group) =>
      group.allReduceMean([tf.tensor1d([3 * group.rank, 6]), tf.scalar(group.rank)]),
    );
    const middle = (size - 1) / 2;
    for (const mean of means) expect(values(mean)).toEqual([[3 * middle, 6], [middle]]);
  });

  test('get the tensors of rank 0, as their own', async () => {
    const answers = await onAll(localGroups(size), (group) => group.broadcast([tf.tensor1d([group.rank + 7])]));
    answers[0]![0]!.dispose();
    for (const answer of answers.slice(1)) expect(values(answer)).toEqual([[7]]);
  });

  test('keep no tensor beside the answers', async () => {
    await expectNoLeak(async () => {
      const given = localGroups(size).map((group) => ({ group, tensors: [tf.ones([2, 3])] }));
      const answers = await Promise.all(given.map(({ group, tensors }) => group.allReduceMean(tensors)));
      tf.dispose([answers, given.map(({ tensors }) => tensors)]);
    });
  });
});

test('nobody passes a barrier before all have come', async () => {
  const [first, second] = localGroups(2) as [ProcessGroup, ProcessGroup];
  const passed: number[] = [];
  const waiting = first.barrier().then(() => passed.push(0));
  await new Promise((resolve) => setImmediate(resolve));
  expect(passed).toEqual([]);
  await second.barrier();
  await waiting;
  expect(passed).toEqual([0]);
});

test('a rank that leaves ends the others with an error that names it', async () => {
  const [first, second, third] = localGroups(3) as [ProcessGroup, ProcessGroup, ProcessGroup];
  const waiting = [first.barrier(), second.barrier()];
  third.close();
  for (const wait of waiting)
    await expect(wait).rejects.toMatchObject({ code: 'PEER_LOST', message: expect.stringContaining('rank 2') });
  await expect(first.barrier()).rejects.toMatchObject({ code: 'PEER_LOST' });
  await expect(third.barrier()).rejects.toMatchObject({ code: 'DISPOSED' });
});

test.each([
  ['numbers of tensors', [tf.scalar(1)], []],
  ['shapes', [tf.zeros([2])], [tf.zeros([3])]],
  ['types', [tf.scalar(1)], [tf.scalar(1, 'int32')]],
])('other %s are refused on every rank, and the next step is free', async (_, ofFirst, ofSecond) => {
  const [first, second] = localGroups(2) as [ProcessGroup, ProcessGroup];
  const both = [first.allReduceMean(ofFirst), second.allReduceMean(ofSecond)];
  for (const one of both) await expect(one).rejects.toMatchObject({ code: 'SHAPE_MISMATCH' });
  await Promise.all([first.barrier(), second.barrier()]);
});

test('different methods, and two calls at once, are refused', async () => {
  const [first, second] = localGroups(2) as [ProcessGroup, ProcessGroup];
  const waiting = first.barrier();
  await expect(first.barrier()).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  await expect(second.broadcast([])).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  await expect(waiting).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
});

test.each([0, -1, 1.5, Number.NaN])('no group has %d members', (size) => {
  expect(() => localGroups(size)).toThrow(/whole number/);
});

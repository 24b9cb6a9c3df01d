import { describe, expect, test } from 'vitest';
import { launchedBy, shardItems, shardOf } from '../src/index.ts';

describe('launchers', () => {
  test.each([
    ['torchrun', { RANK: '1', WORLD_SIZE: '4', LOCAL_RANK: '1' }, 1, 4, 1],
    ['Slurm', { SLURM_PROCID: '3', SLURM_NTASKS: '8', SLURM_LOCALID: '0' }, 3, 8, 0],
    ['Open MPI', { OMPI_COMM_WORLD_RANK: '0', OMPI_COMM_WORLD_SIZE: '2' }, 0, 2, undefined],
    ['MPICH', { PMI_RANK: '1', PMI_SIZE: '2' }, 1, 2, undefined],
    ['Kubernetes', { JOB_COMPLETION_INDEX: '5', JOB_COMPLETIONS: '6' }, 5, 6, undefined],
  ])('%s', (launcher, env, rank, size, localRank) => {
    expect(launchedBy(env)).toEqual({ launcher, rank, size, localRank, hosts: undefined });
  });

  test('TF_CONFIG lists the hosts', () => {
    const worker = ['a:1', 'b:1'];
    const env = { TF_CONFIG: JSON.stringify({ cluster: { worker }, task: { type: 'worker', index: 1 } }) };
    expect(launchedBy(env)).toMatchObject({ launcher: 'TF_CONFIG', rank: 1, size: 2, hosts: worker });
  });

  test('the nearest one counts: torchrun inside a Slurm job', () => {
    const slurm = { SLURM_PROCID: '1', SLURM_NTASKS: '2' };
    expect(launchedBy({ ...slurm, RANK: '6', WORLD_SIZE: '16' })).toMatchObject({ launcher: 'torchrun', rank: 6 });
  });

  test.each([{}, { RANK: '0' }, { WORLD_SIZE: '2', RANK: '' }, { TF_CONFIG: '' }])('%j: started alone', (env) => {
    expect(launchedBy(env)).toBeUndefined();
  });

  test.each([
    { RANK: '2', WORLD_SIZE: '2' },
    { RANK: '-1', WORLD_SIZE: '2' },
    { RANK: 'first', WORLD_SIZE: '2' },
    { RANK: '0', WORLD_SIZE: '0' },
    { TF_CONFIG: '{' },
    { TF_CONFIG: 'null' },
    { TF_CONFIG: '{"cluster":{"worker":["a:1"]},"task":{"type":"worker","index":1}}' },
    { TF_CONFIG: '{"cluster":{"worker":["a:1"]},"task":{"type":"ps","index":0}}' },
  ])('%j is refused', (env) => {
    expect(() => launchedBy(env)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
  });
});

describe('shards', () => {
  test.each([
    ['3/200', {}, 3, 200],
    ['0/1', { RANK: '7' }, 0, 1],
    ['auto/200', { JOB_COMPLETION_INDEX: '9' }, 9, 200],
    ['auto/400', { SLURM_ARRAY_TASK_ID: '7', SLURM_ARRAY_TASK_COUNT: '2', SLURM_ARRAY_TASK_MIN: '7' }, 7, 400],
    ['auto', { SLURM_ARRAY_TASK_ID: '1', SLURM_ARRAY_TASK_COUNT: '4', SLURM_ARRAY_TASK_MAX: '3' }, 1, 4],
    ['auto', { AWS_BATCH_JOB_ARRAY_INDEX: '0', AWS_BATCH_JOB_ARRAY_SIZE: '10' }, 0, 10],
    ['auto', { JOB_COMPLETION_INDEX: '2', JOB_COMPLETIONS: '3' }, 2, 3],
    ['auto', { RANK: '1', WORLD_SIZE: '2' }, 1, 2],
  ])('%s with %j', (text, env, index, count) => {
    expect(shardOf(text, env)).toEqual({ index, count });
  });

  test.each([
    ['4/4', {}],
    ['0/0', {}],
    ['1', {}],
    ['1/2/3', {}],
    ['-1/4', {}],
    ['1.5/4', {}],
    ['', {}],
    ['auto', {}],
    ['auto/4', {}],
    ['auto/4', { RANK: '4' }],
    ['auto', { JOB_COMPLETION_INDEX: '2' }],
    ['auto', { RANK: 'x', WORLD_SIZE: '2' }],
    // Failed tasks of an array, submitted again.
    ['auto', { SLURM_ARRAY_TASK_ID: '7', SLURM_ARRAY_TASK_COUNT: '2', SLURM_ARRAY_TASK_MIN: '7' }],
    ['auto', { SLURM_ARRAY_TASK_ID: '0', SLURM_ARRAY_TASK_COUNT: '2', SLURM_ARRAY_TASK_MAX: '9' }],
    // An array that counts from 1, as many people write it.
    ['auto', { SLURM_ARRAY_TASK_ID: '4', SLURM_ARRAY_TASK_COUNT: '4', SLURM_ARRAY_TASK_MIN: '1' }],
  ])('%j with %j is refused', (text, env) => {
    expect(() => shardOf(text, env)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
  });

  test('every item is in one shard, at its place', () => {
    const items = Array.from({ length: 23 }, (_, i) => `image ${i}`);
    const parts = Array.from({ length: 5 }, (_, index) => shardItems(items, { index, count: 5 }));
    const all = parts.flat().toSorted((a, b) => a.place - b.place);
    expect(all.map(({ item }) => item)).toEqual(items);
    expect(Math.max(...parts.map(({ length }) => length)) - Math.min(...parts.map(({ length }) => length))).toBe(1);
    expect(shardItems(items.slice(0, 2), { index: 4, count: 5 })).toEqual([]);
  });
});

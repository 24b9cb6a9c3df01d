import { describe, expect, test } from 'vitest';
import { type MembersOptions, membersOf } from '../src/index.ts';

const nodes: MembersOptions = { expandNodes: (list) => (list === 'n[1-2]' ? ['n1', 'n2'] : [list]) };
const slurm = {
  SLURM_PROCID: '2',
  SLURM_NTASKS: '3',
  SLURM_LOCALID: '0',
  SLURM_NODEID: '1',
  SLURM_STEP_NUM_TASKS: '3',
  SLURM_STEP_NODELIST: 'n[1-2]',
  SLURM_STEP_TASKS_PER_NODE: '2,1',
};

describe('who is where', () => {
  test.each<[string, Record<string, string>, MembersOptions, { rank: number; hosts: string[] }]>([
    ['a list by hand', {}, { hosts: 'a:1, b:2', rank: 1 }, { rank: 1, hosts: ['a:1', 'b:2'] }],
    [
      'TF_CONFIG',
      { TF_CONFIG: '{"cluster":{"worker":["a:1","b:2"]},"task":{"type":"worker","index":1}}' },
      {},
      { rank: 1, hosts: ['a:1', 'b:2'] },
    ],
    [
      'torchrun on one machine, beside the port that it has itself',
      { RANK: '1', WORLD_SIZE: '2', LOCAL_WORLD_SIZE: '2', MASTER_PORT: '4000' },
      {},
      { rank: 1, hosts: ['127.0.0.1:4001', '127.0.0.1:4002'] },
    ],
    [
      'Open MPI on one machine',
      { OMPI_COMM_WORLD_RANK: '0', OMPI_COMM_WORLD_SIZE: '2', OMPI_COMM_WORLD_LOCAL_SIZE: '2' },
      { port: 30000 },
      { rank: 0, hosts: ['127.0.0.1:30000', '127.0.0.1:30001'] },
    ],
    [
      'MPICH on one machine',
      { PMI_RANK: '1', PMI_SIZE: '2', MPI_LOCALNRANKS: '2' },
      {},
      { rank: 1, hosts: ['127.0.0.1:29500', '127.0.0.1:29501'] },
    ],
    ['srun on two machines', slurm, nodes, { rank: 2, hosts: ['n1:29500', 'n1:29501', 'n2:29500'] }],
    [
      'an Indexed Job with a pattern',
      { JOB_COMPLETION_INDEX: '1', JOB_COMPLETIONS: '3' },
      { hosts: 't-{rank}.t:5' },
      { rank: 1, hosts: ['t-0.t:5', 't-1.t:5', 't-2.t:5'] },
    ],
  ])('%s', (_, env, options, expected) => {
    expect(membersOf(env, options)).toMatchObject(expected);
  });

  test.each<[string, Record<string, string>]>([
    ['nothing', {}],
    ['one of one', { RANK: '0', WORLD_SIZE: '1' }],
    ['a script of sbatch without srun', { SLURM_PROCID: '0', SLURM_NTASKS: '4' }],
  ])('%s: alone', (_, env) => expect(membersOf(env, nodes)).toBeUndefined());

  test.each<[string, Record<string, string>, MembersOptions, RegExp]>([
    ['a rank without a list', {}, { rank: 1 }, /no list of the processes/],
    ['a list without a rank', {}, { hosts: 'a:1,b:1' }, /which of them this process is/],
    ['a rank beyond the list', {}, { hosts: 'a:1,b:1', rank: 2 }, /found '?2'?, expected below 2/],
    ['a pattern without a number', {}, { hosts: 'a-{rank}:1', rank: 0 }, /how many processes/],
    ['torchrun on several machines', { RANK: '1', WORLD_SIZE: '4', LOCAL_WORLD_SIZE: '2' }, {}, /where they are/],
    ['an Indexed Job alone', { JOB_COMPLETION_INDEX: '1', JOB_COMPLETIONS: '3' }, {}, /does not say where they are/],
    ['another number of hosts', { RANK: '1', WORLD_SIZE: '4' }, { hosts: 'a:1,b:1' }, /torchrun started 4/],
    [
      'tasks dealt round',
      { ...slurm, SLURM_STEP_TASKS_PER_NODE: '1,2', SLURM_PROCID: '0' },
      nodes,
      /--distribution=block/,
    ],
    ['counts that cannot be read', { ...slurm, SLURM_STEP_TASKS_PER_NODE: 'two' }, nodes, /cannot be read/],
  ])('%s is refused', (_, env, options, message) => {
    expect(() => membersOf(env, options)).toThrow(message);
  });
});

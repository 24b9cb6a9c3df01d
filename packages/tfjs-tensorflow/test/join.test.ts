import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { meetingFailure } from '../src/collectives/failures.ts';
import { joinGroup } from '../src/collectives/join.ts';
import { serverDef } from '../src/collectives/server-def.ts';

const hosts = ['a:1', 'b:2'];

test.each([
  ['no address', { rank: 0, hosts: [] }, /each rank needs an address/],
  ['no port', { rank: 0, hosts: ['a', 'b:2'] }, /found a, expected host:port/],
  ['one address twice', { rank: 0, hosts: ['a:1', 'a:1'] }, /two ranks have the same address/],
  ['a rank beyond', { rank: 2, hosts }, /expected 0 to 1/],
  ['half a rank', { rank: 0.5, hosts }, /no address for this rank/],
])('%s is refused', async (_, options, message) => {
  await expect(joinGroup(options)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  await expect(joinGroup(options)).rejects.toThrow(message);
});

test('one alone needs no TensorFlow; several do', async () => {
  await tf.setBackend('cpu');
  const alone = await joinGroup({ rank: 0, hosts: ['a:1'] });
  expect(alone.size).toBe(1);
  await expect(joinGroup({ rank: 0, hosts })).rejects.toMatchObject({ code: 'ENGINE_MISSING' });
});

test('the description of a server has the fields of TensorFlow, in protocol buffers', () => {
  const text = (value: string): string => Buffer.from(value).toString('hex');
  const task = (rank: string, host: string): string => `120708${rank}1203${text(host)}`;
  const job = `0a06${text('worker')}${task('00', 'a:1')}${task('01', 'b:2')}`;
  const leader = `0a1c${text('/job:worker/replica:0/task:0')}`;
  const chosen = `${leader}20ffffffffffffffffff013801`;
  const experimental = `8201${hex(chosen.length / 2)}${chosen}`;
  const config = `2212${text('/job:worker/task:1')}32022001${experimental}`;
  const found = Buffer.from(serverDef({ rank: 1, hosts, nccl: true })).toString('hex');
  const expected = `0a${hex(job.length / 2 + 2)}0a${hex(job.length / 2)}${job}1206${text('worker')}180122${hex(config.length / 2)}${config}2a04${text('grpc')}`;
  expect(found).toBe(expected);
});

function hex(value: number): string {
  return value.toString(16).padStart(2, '0');
}

test.each([
  [14, [2], 'PEER_LOST', /rank 2 is gone/],
  [14, [1, 2], 'PEER_LOST', /ranks 1 and 2 are gone/],
  [14, [], 'PEER_LOST', /connection to ranks 1 and 2 broke/],
  [4, [], 'TIMEOUT', /ranks 1 and 2 did not come within 5 s/],
  [4, [1], 'PEER_LOST', /rank 1 is gone/],
  [3, [], 'SHAPE_MISMATCH', /different tensors/],
])('code %i with ranks %j gone is %s', (tensorflowCode, gone, code, message) => {
  const cause = Object.assign(new Error('as TensorFlow says'), { tensorflowCode });
  const error = meetingFailure(cause, { where: 'barrier', gone, others: [1, 2], timeout: 5 });
  expect(error.code).toBe(code);
  expect(error.message).toMatch(message);
  expect(error.cause).toBe(cause);
});

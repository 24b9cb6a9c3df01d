import { RcnnError } from '@rcnn/core/errors';
import { Random } from '@rcnn/core/random';
import { expect, test } from 'vitest';
import { campaign, fileOf } from '../src/campaign.ts';
import { runOnce } from '../src/judge.ts';
import { changedValue } from '../src/mutate.ts';
import { shrunk } from '../src/shrink.ts';
import { bytesOf, type Target, textOf } from '../src/target.ts';

// A harness that finds nothing proves something only when it finds what is there.

const target = (read: (text: string) => unknown): Target => ({
  name: 'test',
  share: 1,
  seeds: [bytesOf('{"count": 12, "name": "x"}')],
  read: (bytes) => read(textOf(bytes)),
});
const refuse = (problem: string) => (): never => {
  throw Object.assign(new RcnnError('FILE_MALFORMED', { where: 'fuzz', problem: 'x' }), { message: problem });
};

test.each([
  ['a value', () => 1, { end: 'read' }],
  ['an error of ours', refuse('no such field.'), { end: 'refused' }],
  [
    'a crash',
    () => (undefined as unknown as { x: 1 }).x,
    { end: 'failed', fault: expect.stringContaining('TypeError') },
  ],
  ['a rejection', () => Promise.reject(new Error('late')), { end: 'failed', fault: expect.stringContaining('late') }],
  [
    'raw characters',
    refuse('name \u001b]0;x\u0007'),
    { end: 'failed', fault: expect.stringMatching(/^raw characters/) },
  ],
  ['marks of direction', refuse('name \u202egnp'), { end: 'failed', fault: expect.stringMatching(/^raw characters/) }],
  ['a message without end', refuse('x'.repeat(70_000)), { end: 'failed', fault: expect.stringMatching(/70000/) }],
])('%s is judged', async (_, read, outcome) => {
  expect(await runOnce(target(read), bytesOf('x'))).toEqual(outcome);
});

test('memory far above the size of the file is a failure', async () => {
  const kept: Uint8Array[] = [];
  const hungry = target(() => kept.push(new Uint8Array(400 << 20).fill(1)));
  expect((await runOnce(hungry, bytesOf('x'))).fault).toMatch(/took \d+ MiB of memory for 1 bytes/);
  kept.length = 0;
});

test('a fault behind a rare file is found, and its file comes back from seed and number', async () => {
  const fragile = target((text) => {
    if (/"count": -/.test(text)) throw new TypeError('a bug');
  });
  const { failures, read } = await campaign(fragile, { seed: 3, runs: 3000 });
  expect(failures.length).toBeGreaterThan(0);
  expect(read).toBeGreaterThan(2000);
  const { run, bytes } = failures[0]!;
  expect(textOf(fileOf(fragile, 3, run))).toBe(textOf(bytes));
  expect((await campaign(fragile, { seed: 3, from: run, runs: 1 })).failures).toHaveLength(1);
});

test('a file that fails is made small', async () => {
  const file = bytesOf(`${'a'.repeat(500)}BUG${'b'.repeat(700)}`);
  expect(textOf(await shrunk(file, async (bytes) => Promise.resolve(textOf(bytes).includes('BUG'))))).toBe('BUG');
});

test('changed values are JSON, and the original stays', () => {
  const original = { a: [1, { b: 'x' }], c: null };
  const random = new Random(1);
  const texts = new Set(Array.from({ length: 300 }, () => JSON.stringify(changedValue(original, random))));
  expect(texts.size).toBeGreaterThan(100);
  expect(original).toEqual({ a: [1, { b: 'x' }], c: null });
});

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

test('by hand: each parser in a thread of its own, and an account at the end', () => {
  const cwd = fileURLToPath(new URL('..', import.meta.url));
  const call = ['--import', 'tsx', 'src/main.ts', '--runs', '30', '--seed', '3', '--only', 'rle,options'];
  const { status, stdout, stderr } = spawnSync(process.execPath, call, { cwd, encoding: 'utf8' });
  expect([status, stderr]).toEqual([0, '']);
  const lines = stdout.trim().split('\n');
  expect(lines.map((line) => line.replace(/;.*/, '').replace(/\d+ (read|refused)/g, '# $1'))).toEqual([
    expect.stringMatching(/^\w+: 30 runs, # read, # refused, 0 failed$/),
    expect.stringMatching(/^\w+: 30 runs, # read, # refused, 0 failed$/),
    '60 runs, 0 failed',
  ]);
});

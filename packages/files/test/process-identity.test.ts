import { spawn } from 'node:child_process';
import { hostname } from 'node:os';
import { expect, test } from 'vitest';
import { mayRun, thisProcess } from '../src/index.ts';

test('this process runs, as itself only', () => {
  const self = JSON.parse(JSON.stringify(thisProcess())) as ReturnType<typeof thisProcess>;
  expect(self).toMatchObject({ pid: process.pid, host: hostname() });
  expect(thisProcess()).toEqual(self);
  expect(mayRun(self)).toBe(true);
  expect(mayRun({ ...self, host: 'elsewhere', pid: 1 })).toBe(true); // nobody can tell
  expect(mayRun({ pid: process.ppid, host: hostname() })).toBe(true); // no start is known: the number counts
});

test('a process that has ended does not run', async () => {
  const child = spawn(process.execPath, ['-e', '']);
  await new Promise((resolve) => child.once('exit', resolve));
  expect(mayRun({ pid: child.pid!, host: hostname() })).toBe(false);
});

test.runIf(process.platform === 'linux')(
  'the same number with another start is another process',
  { meta: { whySkipped: 'needs Linux' } },
  () => {
    const { started, ...self } = thisProcess();
    expect(started).toMatch(/^[\w-]+ \d+$/);
    expect(mayRun({ ...self, started: `${started}0` })).toBe(false); // the container started anew
    expect(mayRun({ ...self, started: started!.replace(/^./, 'x') })).toBe(false); // the machine did
    expect(mayRun({ ...self, pid: process.ppid, started })).toBe(false);
  },
);

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { launchedCommand } from '../src/commands/launch.ts';
import { type Attempt, freePorts, runTogether } from '../src/ranks/processes.ts';
import { type Launch, runRestarting } from '../src/ranks/restarts.ts';
import { call } from './support/program.ts';

const folder = mkdtempSync(join(tmpdir(), 'cli-launch-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('the command that is launched keeps its options', () => {
  test.each([
    [
      ['launch', '-n', '2', 'train', 'a', '--epochs', '3'],
      ['launch', '-n', '2', '--', 'train', 'a', '--epochs', '3'],
    ],
    [
      ['launch', '--processes=2', '--network', 'own', 'train'],
      ['launch', '--processes=2', '--network', 'own', '--', 'train'],
    ],
    [
      ['launch', '-n', '2', '--', 'train'],
      ['launch', '-n', '2', '--', 'train'],
    ],
    [
      ['launch', '--help'],
      ['launch', '--help'],
    ],
    [
      ['train', 'a'],
      ['train', 'a'],
    ],
  ])('%j', (args, expected) => expect(launchedCommand(args)).toEqual(expected));
});

test('what several cannot run together is refused, with what they can do', async () => {
  const { code, err } = await call('launch', '-n', '2', 'predict', 'a.jpg', '--epochs', '3');
  expect(code).toBe(2);
  expect(err).toContain('predict --shard 0/2');
  expect((await call('launch', 'train')).code).toBe(2);
});

test('engines other than TensorFlow are refused for several processes', async () => {
  const { code, err } = await call('train', 'a', '--engine', 'cpu', '--hosts', 'a:1,b:2', '--rank', '1');
  expect(code).toBe(2);
  expect(err).toMatch(/--engine: several processes train together on TensorFlow alone; found cpu/);
});

test('ports are free and each another', async () => {
  expect(new Set(await freePorts(8)).size).toBe(8);
});

describe('processes together', () => {
  const node = (script: string): string[] => [process.execPath, '-e', script];
  const RANK = 'JSON.parse(process.env.TF_CONFIG).task.index';

  /** What they print, and the exit code. */
  async function run(
    script: string,
    count: number,
    patience?: { readonly ask: number; readonly end: number },
  ): Promise<{ code: number; out: string }> {
    let out = '';
    const stdout = vi.spyOn(process.stdout, 'write').mockImplementation((text) => ((out += String(text)), true));
    try {
      const { code } = await runTogether(node(script), count, { patience });
      return { code, out };
    } finally {
      stdout.mockRestore();
    }
  }

  test('each knows its place, and its lines have its number', async () => {
    const script = `const { cluster } = JSON.parse(process.env.TF_CONFIG); console.log(${RANK}, process.env.LOCAL_RANK, cluster.worker.length)`;
    const { code, out } = await run(script, 3);
    expect(code).toBe(0);
    expect(out.trim().split('\n').toSorted()).toEqual(['[0] 0 0 3', '[1] 1 1 3', '[2] 2 2 3']);
  });

  test('the exit code is that of the one that failed, not of those that lost it', async () => {
    expect((await run(`process.exit([75, 3][${RANK}])`, 2)).code).toBe(3);
    expect((await run(`process.exit([75, 0][${RANK}])`, 2)).code).toBe(75);
    expect((await run(`if (${RANK} === 1) process.kill(process.pid, 'SIGKILL')`, 2)).code).toBe(137);
  });

  test('one that does not find out by itself is asked to end', async () => {
    const listens = join(folder, 'listens');
    const script = `
      const fs = require('node:fs');
      const listens = ${JSON.stringify(listens)};
      if (${RANK} === 1) setInterval(() => fs.existsSync(listens) && process.exit(1), 5);
      else {
        process.on('SIGTERM', () => { console.log('asked'); process.exit(0); });
        setInterval(() => {}, 1000);
        fs.writeFileSync(listens, '');
      }`;
    const { code, out } = await run(script, 2, { ask: 0.1, end: 600 });
    expect(code).toBe(1);
    expect(out).toBe('[0] asked\n');
  });

  test('a signal goes to all, once', async () => {
    const script = `let heard = 0; process.on('SIGTERM', () => { heard++; setTimeout(() => { console.log(heard); process.exit(0); }, 300); }); setInterval(() => {}, 1000); console.log('ready')`;
    let out = '';
    let ready = 0;
    const stdout = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
      out += String(text);
      if (String(text).endsWith('ready\n') && ++ready === 2) process.emit('SIGTERM', 'SIGTERM');
      return true;
    });
    const ended = await runTogether(node(script), 2);
    stdout.mockRestore();
    expect(ended).toEqual({ code: 0, stopped: true });
    expect(out.match(/ready/g)).toHaveLength(2);
    expect(out.match(/\] 1$/gm)).toHaveLength(2);
  });
});

describe('restarts', () => {
  const run = join(folder, 'run');
  mkdirSync(run);
  writeFileSync(join(run, 'config.yaml'), 'data: photos\naccumulate: 2\n');

  /** What is started when attempts end so, and the exit code of it all. */
  async function play(
    launch: Partial<Launch>,
    endings: readonly (Partial<Attempt> & { readonly saves?: boolean })[],
  ): Promise<{ started: string[]; code: number }> {
    const stderr = vi.spyOn(process.stderr, 'write').mockImplementation(() => true);
    const started: string[] = [];
    const all: Launch = { most: 4, least: 4, restarts: 3, ...launch };
    const code = await runRestarting(['train', 'a', '--threads', '1'], all, async (command, count, onSaved) => {
      const { saves = false, ...ending } = endings[started.length]!;
      started.push(`${count}: ${command.join(' ').replace(run, 'RUN')}`);
      if (saves) onSaved(run);
      return { code: 0, stopped: false, ...ending };
    });
    stderr.mockRestore();
    return { started, code };
  }
  const FIRST = '4: train a --threads 1';
  const AGAIN = `${FIRST} --resume RUN`;

  test('all start again, from the last save where there is one, until one attempt ends well', async () => {
    const endings = [{ code: 137 }, { code: 137, saves: true }, {}];
    expect(await play({}, endings)).toEqual({ started: [FIRST, FIRST, AGAIN], code: 0 });
  });

  test('never more often than was allowed, and the exit code is that of the last', async () => {
    expect(await play({ restarts: 0 }, [{ code: 137 }])).toEqual({ started: [FIRST], code: 137 });
    expect(await play({ restarts: 1 }, [{ code: 137 }, { code: 75 }])).toEqual({ started: [FIRST, FIRST], code: 75 });
  });

  test('neither a call that was wrong nor one that was stopped is tried again', async () => {
    expect((await play({}, [{ code: 2 }])).started).toEqual([FIRST]);
    expect((await play({}, [{ code: 143, stopped: true }])).started).toEqual([FIRST]);
  });

  test('where a restart gets nowhere, fewer processes share the batches of a step', async () => {
    const endings = [{ code: 137, saves: true }, { code: 137 }, { code: 137 }, {}];
    const { started } = await play({ least: 1 }, endings);
    // eight batches a step: by four processes, by two, by one; three cannot share them
    expect(started).toEqual([
      FIRST,
      AGAIN,
      `2: train a --threads 1 --resume RUN --accumulate 4`,
      `1: train a --threads 1 --resume RUN --accumulate 8`,
    ]);
    expect((await play({}, [...endings.slice(0, 3), {}])).started).toEqual([FIRST, AGAIN, AGAIN, AGAIN]);
  });

  test('how many processes is one number or two', async () => {
    for (const wrong of ['0', '3:2', 'a', '1:2:3', ''])
      expect((await call('launch', '-n', wrong, 'train')).code).toBe(2);
  });
});

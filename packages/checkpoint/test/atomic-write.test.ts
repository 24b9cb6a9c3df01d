import { type ChildProcess, fork } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isRcnnError } from '@rcnn/core/errors';
import { Random } from '@rcnn/core/random';
import { expect, test } from 'vitest';
import {
  atomicWrite,
  type FileSystem,
  loadCheckpoint,
  nodeFileSystem,
  saveCheckpoint,
  sweepTemporaries,
  type WritableFile,
} from '../src/node/index.ts';
import { expectReject, randomTensor, repeats, temporaryDirectory } from './helpers.ts';

const directory = temporaryDirectory();
const fresh = () => mkdtempSync(join(directory, 'case-'));

test('writes text, bytes and chunks, and replaces what was there', async () => {
  const path = join(fresh(), 'file');
  for (const contents of ['text', Uint8Array.of(1, 2), [Uint8Array.of(1), Uint8Array.of(2)]]) {
    await atomicWrite(path, contents);
  }
  expect([...readFileSync(path)]).toEqual([1, 2]);
  expect(readdirSync(dirname(path))).toEqual(['file']);
});

test('a source that fails leaves the old file and no other', async () => {
  const path = join(fresh(), 'file');
  await atomicWrite(path, 'old');
  async function* broken() {
    yield Uint8Array.of(1);
    throw new Error('no more');
  }
  await expect(atomicWrite(path, broken())).rejects.toThrow('no more');
  expect(readFileSync(path, 'utf8')).toBe('old');
  expect(readdirSync(dirname(path))).toEqual(['file']);
});

test('a directory that is not there is named', async () => {
  await expectReject(atomicWrite(join(directory, 'none', 'file'), 'x'), 'FILE_MISSING', 'none');
});

test('only abandoned temporary files are swept', async () => {
  const folder = fresh();
  const stray = '.last.safetensors.01234567-89ab-cdef-0123-456789abcdef.tmp';
  for (const name of [stray, 'last.safetensors', '.hidden', 'x.tmp', '.notes.tmp'])
    writeFileSync(join(folder, name), '');
  expect(await sweepTemporaries(folder)).toEqual([stray]);
  expect(readdirSync(folder).sort()).toEqual(['.hidden', '.notes.tmp', 'last.safetensors', 'x.tmp']);
});

// ---------------------------------------------------------------- faults: the k-th call fails, for every k

class Fault extends Error {
  readonly code: string;
  constructor(code: string) {
    super(code);
    this.code = code;
  }
}

/** The real file system, with every call counted and the `failAt`-th one failing. */
function faulty(failAt: number, errno: string): { fileSystem: FileSystem; calls: () => string[] } {
  const calls: string[] = [];
  const count = (name: string): void => {
    calls.push(name);
    if (calls.length - 1 === failAt) throw new Fault(errno);
  };
  const file = (inner: WritableFile): WritableFile => ({
    async write(bytes) {
      count('write');
      await inner.write(bytes);
    },
    async sync() {
      count('sync');
      await inner.sync();
    },
    async close() {
      await inner.close(); // the descriptor is gone either way
      count('close');
    },
  });
  const fileSystem: FileSystem = {
    ...nodeFileSystem,
    async create(path) {
      count('create');
      return file(await nodeFileSystem.create(path));
    },
    async rename(from, to) {
      count('rename');
      await nodeFileSystem.rename(from, to);
    },
    async syncDirectory(path) {
      count('syncDirectory');
      await nodeFileSystem.syncDirectory(path);
    },
  };
  return { fileSystem, calls: () => calls };
}

const oldWeights = { weights: [randomTensor('a', [500], 1)], info: { epoch: 1 } };
const newWeights = { weights: [randomTensor('a', [500], 2)], info: { epoch: 2 } };

test.each(['ENOSPC', 'EIO', 'EACCES', 'EMFILE', 'EROFS', 'EXDEV'])(
  '%s at any call is a typed error, and the old checkpoint is whole',
  async (errno) => {
    const path = join(fresh(), 'last.safetensors');
    for (let k = 0; ; k++) {
      await saveCheckpoint(path, oldWeights);
      const { fileSystem, calls } = faulty(k, errno);
      let failed = false;
      try {
        await saveCheckpoint(path, newWeights, { fileSystem });
      } catch (error) {
        if (!isRcnnError(error, errno === 'ENOSPC' ? 'DISK_FULL' : 'IO_FAILED')) throw error;
        expect(error.where).toBe(path);
        expect(error.found).toBe(errno);
        failed = true;
      }
      const checkpoint = await loadCheckpoint(path);
      await checkpoint.verify();
      // Only the directory's sync comes after the rename.
      const renamed = !failed || calls().at(-1) === 'syncDirectory';
      expect(checkpoint.info).toEqual({ epoch: renamed ? 2 : 1 });
      await checkpoint.close();
      expect(readdirSync(dirname(path))).toEqual(['last.safetensors']);
      if (!failed) {
        expect(k).toBeGreaterThan(5); // create, writes, sync, close, rename, syncDirectory
        return;
      }
    }
  },
);

// ---------------------------------------------------------------- power cuts: what was not synced is lost

/** One call of a save, as a disk would remember it. */
type Call =
  | { kind: 'create'; path: string }
  | { kind: 'write'; path: string; bytes: Uint8Array }
  | { kind: 'sync'; path: string }
  | { kind: 'rename'; from: string; to: string }
  | { kind: 'syncDirectory' };

/** Records the calls of `save`. Nothing touches a disk. */
async function record(save: (fileSystem: FileSystem) => Promise<void>): Promise<Call[]> {
  const calls: Call[] = [];
  const open = (path: string): WritableFile => ({
    async write(bytes) {
      calls.push({ kind: 'write', path, bytes: bytes.slice() });
    },
    async sync() {
      calls.push({ kind: 'sync', path });
    },
    async close() {},
  });
  await save({
    ...nodeFileSystem,
    async create(path) {
      calls.push({ kind: 'create', path });
      return open(path);
    },
    async rename(from, to) {
      calls.push({ kind: 'rename', from, to });
    },
    async remove() {},
    async syncDirectory() {
      calls.push({ kind: 'syncDirectory' });
    },
  });
  return calls;
}

/**
 * What `path` may hold after a power cut behind the first `length` calls. A disk keeps what was synced; of the rest,
 * names may have changed or not, and bytes may be there or not: every mixture is given.
 */
function afterPowerCut(calls: readonly Call[], length: number, path: string, before: Uint8Array): Uint8Array[] {
  const done = calls.slice(0, length);
  const renames = done.filter((call) => call.kind === 'rename' && call.to === path);
  const outcomes: Uint8Array[] = [];
  const durable = done.some(
    (call, i) => call.kind === 'syncDirectory' && renames.some((rename) => done.indexOf(rename) < i),
  );
  if (!durable) outcomes.push(before);
  for (const rename of renames) {
    const from = (rename as { from: string }).from;
    const synced = done.findLastIndex((call) => call.kind === 'sync' && call.path === from);
    const bytes = (until: number) =>
      new Uint8Array(
        Buffer.concat(
          done.slice(0, until).flatMap((call) => (call.kind === 'write' && call.path === from ? [call.bytes] : [])),
        ),
      );
    outcomes.push(bytes(synced + 1), bytes(length));
  }
  return outcomes;
}

const old = Buffer.from('the old contents');
const chunks = [Buffer.from('the new '), Buffer.from('contents, '), Buffer.from('in pieces')];
const now = Buffer.concat(chunks);

function tornStates(calls: readonly Call[]): number {
  let torn = 0;
  for (let length = 0; length <= calls.length; length++) {
    for (const state of afterPowerCut(calls, length, '/run/last', old)) {
      if (!old.equals(state) && !now.equals(state)) torn++;
    }
  }
  return torn;
}

test('after a power cut at any call, the file is the old one or the new one', async () => {
  const calls = await record((fileSystem) => atomicWrite('/run/last', chunks, { fileSystem }));
  expect(calls.map(({ kind }) => kind)).toEqual([
    'create',
    'write',
    'write',
    'write',
    'sync',
    'rename',
    'syncDirectory',
  ]);
  expect(tornStates(calls)).toBe(0);
  expect(afterPowerCut(calls, calls.length, '/run/last', old).every((state) => now.equals(state))).toBe(true);
});

test('the model of the disk finds a save that forgets to sync', async () => {
  const calls = await record((fileSystem) => atomicWrite('/run/last', chunks, { fileSystem }));
  expect(tornStates(calls.filter(({ kind }) => kind !== 'sync'))).toBeGreaterThan(0);
  const late = afterPowerCut(
    calls.filter(({ kind }) => kind !== 'syncDirectory'),
    calls.length,
    '/run/last',
    old,
  );
  expect(late.some((state) => old.equals(state))).toBe(true);
});

// ---------------------------------------------------------------- kill -9

const saver = fileURLToPath(new URL('./saver.mjs', import.meta.url));

test('a process killed while it saves leaves the one checkpoint or the other', async () => {
  const folder = fresh();
  const path = join(folder, 'last.safetensors');
  const random = new Random(21);
  let strays = 0;
  // How often a kill comes during a save depends on the machine: it goes on until one did, within reason.
  for (let run = 0; run < repeats(8) || (strays === 0 && run < 500); run++) {
    const child = fork(saver, [path], { execArgv: [], stdio: 'inherit' });
    await new Promise<void>((resolve, reject) => {
      child.once('message', () => resolve());
      child.once('error', reject);
    });
    await new Promise((resolve) => setTimeout(resolve, random.uniform(0, 40)));
    await killed(child);
    const checkpoint = await loadCheckpoint(path);
    await checkpoint.verify();
    expect([1, 2]).toContain((checkpoint.info as { epoch: number }).epoch);
    await checkpoint.close();
    strays += (await sweepTemporaries(folder)).length;
    expect(readdirSync(folder)).toEqual(['last.safetensors']);
  }
  expect(strays).toBeGreaterThan(0);
});

async function killed(child: ChildProcess): Promise<void> {
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await gone;
}

import { existsSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { requireSpace } from '../src/files/disk.ts';
import { acquireLock, EventWriter, Metrics, RunFolder, readMetrics } from '../src/index.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'disk-'));
});
afterEach(() => {
  vi.useRealTimers();
  rmSync(folder, { recursive: true });
});

describe('a disk without room', () => {
  test('is noticed before training begins', () => {
    expect(() => requireSpace(folder, 3 * 2 ** 20, 2 * 2 ** 20)).toThrow(
      expect.objectContaining({ code: 'DISK_FULL', where: folder, found: '2.0 MiB free', expected: '3.0 MiB' }),
    );
    requireSpace(folder, 2 ** 20, 2 ** 20);
    requireSpace(folder, 1); // the real disk
    expect(() => requireSpace(folder, 2 ** 60)).toThrow(expect.objectContaining({ code: 'DISK_FULL' }));
    requireSpace(join(folder, 'none'), 2 ** 60); // nobody knows: the writes will tell
  });

  // /dev/full takes nothing, for every user.
  describe.runIf(existsSync('/dev/full'))('in the middle', { meta: { whySkipped: 'needs /dev/full' } }, () => {
    test('of the metrics: what was written stays', async () => {
      const metrics = await Metrics.open(folder);
      const file = join(folder, 'metrics.jsonl');
      rmSync(file);
      symlinkSync('/dev/full', file);
      await expect(metrics.add({ kind: 'step', step: 2, epoch: 0 })).rejects.toMatchObject({
        code: 'DISK_FULL',
        where: file,
        found: 'ENOSPC',
        hint: expect.stringContaining('Free some space') as string,
      });
      rmSync(file);
      writeFileSync(file, '{"kind":"step","step":1,"epoch":0}\n{"kind":"st'); // as a full disk leaves it
      expect(readMetrics(file)).toHaveLength(1);
    });

    test('of the TensorBoard events', () => {
      vi.useFakeTimers({ now: 1_700_000_000_123, toFake: ['Date'] });
      symlinkSync('/dev/full', join(folder, `events.out.tfevents.1700000000.${hostname()}.${process.pid}.123`));
      expect(() => new EventWriter(folder)).toThrow(
        expect.objectContaining({ code: 'DISK_FULL', where: expect.stringContaining('tfevents') as string }),
      );
    });
  });
});

describe('what the system refuses is a typed error', () => {
  test.each<[string, () => unknown, string]>([
    ['a lock where there is no folder', () => acquireLock(join(folder, 'no', 'run.lock')), 'FILE_MISSING'],
    ['events where there is no folder', () => new EventWriter(join(folder, 'no')), 'FILE_MISSING'],
    ['runs below a file', () => RunFolder.create(join(file(), 'runs'), 'a'), 'FILE_MISSING'],
    ['runs in a file', () => RunFolder.create(file(), 'a'), 'FILE_EXISTS'],
  ])('%s', (_, act, code) => {
    expect(act).toThrow(expect.objectContaining({ code }));
  });

  const file = (): string => {
    const path = join(folder, 'file');
    writeFileSync(path, '');
    return path;
  };
});

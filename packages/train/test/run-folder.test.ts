import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { acquireLock, EventWriter, Metrics, readMetrics, StopSignals } from '../src/index.ts';
import { crc32c } from '../src/tensorboard/crc32c.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'run-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('lock', () => {
  const path = (): string => join(folder, 'run.lock');

  test('the second one is told who was first; released, it is free', () => {
    const lock = acquireLock(path());
    expect(() => acquireLock(path())).toThrowError(new RegExp(`process ${process.pid} on ${hostname()}`));
    lock.release();
    acquireLock(path()).release();
    expect(readdirSync(folder)).toEqual([]);
  });

  test('the lock of a dead process is taken over', async () => {
    const child = spawn(process.execPath, ['-e', '']);
    await new Promise((resolve) => child.once('exit', resolve));
    writeFileSync(path(), JSON.stringify({ id: 'dead', pid: child.pid, host: hostname(), since: 'yesterday' }));
    const lock = acquireLock(path());
    expect(() => acquireLock(path())).toThrowError(/another trainer/);
    lock.release();
    expect(readdirSync(folder)).toEqual([]);
  });

  // In a container that starts anew the program has the same number again, and so does whatever runs beside it.
  test.runIf(process.platform === 'linux').each([process.pid, process.ppid])(
    'a lock of process %s from before a restart is taken over',
    { meta: { whySkipped: 'needs Linux' } },
    (pid) => {
      const holder = { id: 'before', pid, host: hostname(), started: 'another-boot 12', since: 'yesterday' };
      writeFileSync(path(), JSON.stringify(holder));
      acquireLock(path()).release();
      expect(readdirSync(folder)).toEqual([]);
    },
  );

  test('a lock with our own number and no start, which we do not hold, is stale', () => {
    writeFileSync(path(), JSON.stringify({ id: 'before', pid: process.pid, host: hostname(), since: 'yesterday' }));
    acquireLock(path()).release();
    expect(readdirSync(folder)).toEqual([]);
  });

  test('a lock from another machine, or one that nobody can read, stays', () => {
    writeFileSync(path(), JSON.stringify({ id: 'far', pid: 1, host: 'elsewhere', since: 'today' }));
    expect(() => acquireLock(path())).toThrowError(/process 1 on elsewhere.*delete this file/);
    writeFileSync(path(), 'hm');
    expect(() => acquireLock(path())).toThrowError(/does not say which.*delete this file/);
  });

  test('of many that race for a stale lock, one wins', async () => {
    writeFileSync(path(), JSON.stringify({ id: 'dead', pid: 2 ** 22 + 1, host: hostname(), since: 'yesterday' }));
    const code = `
      import { acquireLock } from ${JSON.stringify(new URL('../dist/files/lock.js', import.meta.url).href)};
      let outcome = 'won';
      try { acquireLock(${JSON.stringify(path())}); } catch (error) { outcome = error.code; }
      process.stdout.write(outcome);
      process.stdin.resume(); // who won holds it until all have answered`;
    const racers = Array.from({ length: 8 }, () => spawn(process.execPath, ['--input-type=module', '-e', code]));
    const outcomes = await Promise.all(
      racers.map(async (racer) => {
        const [answer] = (await Promise.race([once(racer.stdout, 'data'), once(racer, 'exit')])) as unknown[];
        return String(answer);
      }),
    );
    await Promise.all(
      racers.map(async (racer) => {
        const gone = once(racer, 'exit');
        racer.stdin.end();
        await gone;
      }),
    );
    expect(outcomes.filter((outcome) => outcome === 'won')).toHaveLength(1);
    expect(outcomes.filter((outcome) => outcome === 'LOCKED')).toHaveLength(7);
  });
});

describe('signals', () => {
  test('the first asks; from then on the system decides', () => {
    const asked = vi.fn<(signal: string) => void>();
    const signals = new StopSignals(asked);
    expect(signals.requested).toBeUndefined();
    process.emit('SIGTERM', 'SIGTERM');
    expect(signals.requested).toBe('SIGTERM');
    expect(asked).toHaveBeenCalledExactlyOnceWith('SIGTERM');
    expect([process.listenerCount('SIGTERM'), process.listenerCount('SIGINT')]).toEqual([0, 0]);
    signals.dispose();
  });
});

describe('metrics', () => {
  test('a resumed run forgets what came after its checkpoint and never writes a step twice', async () => {
    const metrics = await Metrics.open(folder);
    for (let step = 1; step <= 5; step++) await metrics.add({ kind: 'step', step, epoch: 0, loss: 1 / step });
    appendFileSync(join(folder, 'metrics.jsonl'), '{"kind":"step","st'); // cut by a crash
    const resumed = await Metrics.open(folder, 3);
    await resumed.add({ kind: 'step', step: 4, epoch: 0, loss: 9 });
    expect(readMetrics(join(folder, 'metrics.jsonl')).map(({ step }) => step)).toEqual([1, 2, 3, 4]);
  });

  test('the table has one row per epoch', async () => {
    const metrics = await Metrics.open(folder);
    await metrics.add({ kind: 'step', step: 1, epoch: 0, loss: 2 });
    expect(existsSync(join(folder, 'results.csv'))).toBe(false);
    await metrics.add({ kind: 'epoch', step: 1, epoch: 0, 'segm/AP': 0.5 });
    await metrics.add({ kind: 'epoch', step: 2, epoch: 1, 'segm/AP': 0.6, 'loss/val': 1 });
    expect(readFileSync(join(folder, 'results.csv'), 'utf8')).toBe(
      'step,epoch,segm/AP,loss/val\n1,0,0.5,\n2,1,0.6,1\n',
    );
  });
});

describe('TensorBoard events', () => {
  /** Splits a TFRecord file, checking every length and checksum. */
  function records(file: string): Buffer[] {
    const bytes = readFileSync(file);
    const unmask = (at: number): number => {
      const rotated = (bytes.readUInt32LE(at) - 0xa282ead8) >>> 0;
      return ((rotated >>> 17) | (rotated << 15)) >>> 0;
    };
    const found: Buffer[] = [];
    for (let at = 0; at < bytes.length; ) {
      const length = Number(bytes.readBigUInt64LE(at));
      expect(crc32c(bytes.subarray(at, at + 8))).toBe(unmask(at + 8));
      const data = bytes.subarray(at + 12, at + 12 + length);
      expect(crc32c(data)).toBe(unmask(at + 12 + length));
      found.push(data);
      at += 16 + length;
    }
    return found;
  }

  test('CRC-32C of the check string', () => expect(crc32c(new TextEncoder().encode('123456789'))).toBe(0xe3069283));

  test('records, byte by byte', () => {
    const writer = new EventWriter(folder, { firstStep: 300 });
    writer.scalars(301, { loss: 0.5, skipped: Number.NaN });
    writer.scalars(302, { skipped: Number.POSITIVE_INFINITY });
    writer.close();
    const [version, start, loss, ...rest] = records(writer.path).map((record) => record.subarray(9).toString('hex'));
    expect(version).toBe(`1a0d${Buffer.from('brain.Event:2').toString('hex')}`);
    expect(start).toBe('10ac023a020801'); // step 300, session_log { status: START }
    // step 301, summary { value { tag: 'loss', simple_value: 0.5 } }
    expect(loss).toBe(`10ad022a0d0a0b0a04${Buffer.from('loss').toString('hex')}150000003f`);
    expect(rest).toEqual([]);
  });

  test('an image, byte by byte: the size is the one that the PNG states', () => {
    const png = Uint8Array.from([
      0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10, 0, 0, 0, 13, 73, 72, 68, 82, 0, 0, 0, 3, 0, 0, 0, 2,
    ]);
    const writer = new EventWriter(folder);
    writer.image(5, 'a', png);
    writer.close();
    const [, , image] = records(writer.path).map((record) => record.subarray(9).toString('hex'));
    // step 5, summary { value { tag: 'a', image { height: 2, width: 3, colorspace: 4, encoded_image_string } } }
    const pngField = `2218${Buffer.from(png).toString('hex')}`; // 24 bytes
    expect(image).toBe(`10052a270a250a01612220080210031804${pngField}`);
  });

  test('a file that a crash cut is readable up to the cut', () => {
    const writer = new EventWriter(folder);
    for (let step = 1; step <= 10; step++) writer.scalars(step, { loss: 1 / step });
    writer.close();
    const whole = readFileSync(writer.path);
    writeFileSync(writer.path, whole.subarray(0, whole.length - 3));
    expect(() => records(writer.path)).toThrow(RangeError);
    writeFileSync(writer.path, whole);
    expect(records(writer.path)).toHaveLength(12);
  });
});

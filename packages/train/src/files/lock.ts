import { randomUUID } from 'node:crypto';
import { linkSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { RcnnError } from '@rcnn/core/errors';
import { z } from 'zod';
import { onDisk } from './disk.ts';
import { readHistory } from './run-file.ts';

/** Who holds a lock, as its file says. The id becomes part of a file name, so it is made of letters and digits. */
const holderForm = z.object({
  id: z.string().regex(/^[\w-]{1,64}$/),
  pid: z.number().int().positive(),
  host: z.string(),
  since: z.string(),
});
type Holder = Readonly<z.infer<typeof holderForm>>;

/** A held lock. */
export interface Lock {
  release(): void;
}

/**
 * Makes this process the only one that works in a folder. A lock whose process is gone (same machine only) is taken
 * over; of several that try at once, one succeeds.
 * @throws LOCKED saying who holds it; DISK_FULL, IO_FAILED
 */
export function acquireLock(path: string): Lock {
  const mine: Holder = { id: randomUUID(), pid: process.pid, host: hostname(), since: new Date().toISOString() };
  onDisk(path, 'cannot be written', () => {
    if (!createExclusively(path, mine)) takeOver(path, mine);
  });
  const release = (): void => {
    process.removeListener('exit', release);
    if (readHolder(path)?.id === mine.id) rmSync(path, { force: true });
  };
  process.once('exit', release);
  return { release };
}

/** Replaces the lock of a dead process. The claim on that very lock is itself a lock, so only one can replace it. */
function takeOver(path: string, mine: Holder): void {
  const stale = readHolder(path);
  if (stale === undefined && createExclusively(path, mine)) return; // released in the meantime
  if (stale === undefined || isAlive(stale)) refuse(path, stale);
  const claim = acquireLock(`${path}.${stale.id}`);
  try {
    const now = readHolder(path);
    if (now?.id !== stale.id) refuse(path, now); // somebody was quicker
    const temporary = `${path}.${mine.id}.tmp`;
    writeFileSync(temporary, JSON.stringify(mine), { flag: 'wx' });
    renameSync(temporary, path);
  } finally {
    claim.release();
  }
}

/** Creates the file with its whole content in one step: a link to a finished file. */
function createExclusively(path: string, holder: Holder): boolean {
  const temporary = `${path}.${holder.id}.tmp`;
  writeFileSync(temporary, JSON.stringify(holder), { flag: 'wx' });
  try {
    linkSync(temporary, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    // Some file systems have no links; there, an exclusive create is the best there is.
    try {
      writeFileSync(path, JSON.stringify(holder), { flag: 'wx' });
      return true;
    } catch (second) {
      if ((second as NodeJS.ErrnoException).code === 'EEXIST') return false;
      throw second;
    }
  } finally {
    rmSync(temporary, { force: true });
  }
}

/** Undefined when there is no lock, or its file says nothing sensible. */
function readHolder(path: string): Holder | undefined {
  return readHistory(path, holderForm);
}

/** Whether the holder may still run; on another machine nobody can tell, so it counts as running. */
function isAlive({ pid, host }: Holder): boolean {
  if (host !== hostname()) return true;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

function refuse(path: string, holder: Holder | undefined): never {
  throw new RcnnError('LOCKED', {
    where: path,
    problem: 'another trainer works in this folder',
    ...(holder === undefined ? {} : { found: `process ${holder.pid} on ${holder.host}, since ${holder.since}` }),
    hint: 'Wait for it, or train into another folder with --out. If you are sure that it no longer runs, delete this file.',
  });
}

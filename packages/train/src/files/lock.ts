import { randomUUID } from 'node:crypto';
import { closeSync, linkSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { RcnnError } from '@rcnn/core/errors';
import { mayRun, openRegularSync, type ProcessIdentity, thisProcess } from '@rcnn/files';
import { z } from 'zod';
import { onDisk } from './disk.ts';
import { readHistory } from './run-file.ts';

/** Who holds a lock, as its file says. The id becomes part of a file name, so it is made of letters and digits. */
const holderForm = z.object({
  id: z.string().regex(/^[\w-]{1,64}$/),
  pid: z.number().int().positive(),
  host: z.string(),
  started: z.string().optional(),
  since: z.string(),
});
type Holder = Readonly<z.infer<typeof holderForm>>;

/** The ids of the locks that this process holds. */
const HELD = new Set<string>();

/** A held lock. */
export interface Lock {
  release(): void;
}

/**
 * Makes this process the only one that works in a folder. A lock whose process is gone (same machine only) is taken
 * over; of several that try at once, one succeeds.
 * @param who what holds such locks, as errors call it
 * @throws LOCKED saying who holds it; DISK_FULL, IO_FAILED
 */
export function acquireLock(path: string, who = 'trainer'): Lock {
  const mine: Holder = { id: randomUUID(), ...thisProcess(), since: new Date().toISOString() };
  onDisk(path, 'cannot be written', () => {
    if (!createExclusively(path, mine)) takeOver(path, mine, who);
  });
  HELD.add(mine.id);
  const release = (): void => {
    process.removeListener('exit', release);
    HELD.delete(mine.id);
    if (readHolder(path)?.id === mine.id) rmSync(path, { force: true });
  };
  process.once('exit', release);
  return { release };
}

/** The process that holds a lock, as far as anybody can tell; undefined when none does. */
export function lockHolder(path: string): ProcessIdentity | undefined {
  const holder = readHolder(path);
  return holder !== undefined && isAlive(holder) ? holder : undefined;
}

/** Replaces the lock of a dead process. The claim on that very lock is itself a lock, so only one can replace it. */
function takeOver(path: string, mine: Holder, who: string): void {
  const stale = readHolder(path);
  if (stale === undefined && createExclusively(path, mine)) return; // released in the meantime
  if (stale === undefined) refuseUnread(path, who);
  if (isAlive(stale)) refuse(path, who, stale);
  const claim = acquireLock(`${path}.${stale.id}`, who);
  try {
    const now = readHolder(path);
    if (now?.id !== stale.id) refuse(path, who, now); // somebody was quicker
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

/** Where starts are not known, a lock with our own number that we do not hold is from before the machine started. */
function isAlive(holder: Holder): boolean {
  const ours = holder.pid === process.pid && holder.host === thisProcess().host;
  return ours && holder.started === undefined ? HELD.has(holder.id) : mayRun(holder);
}

/** A lock that does not say whose it is: written by another program, cut short, or no file at all. */
function refuseUnread(path: string, who: string): never {
  closeSync(openRegularSync(path)); // what is no file says so
  throw new RcnnError('LOCKED', {
    where: path,
    problem: `another ${who} may work in this folder: its lock does not say which`,
    hint: 'If you are sure that none does, delete this file.',
  });
}

function refuse(path: string, who: string, holder: Holder | undefined): never {
  throw new RcnnError('LOCKED', {
    where: path,
    problem: `another ${who} works in this folder`,
    ...(holder === undefined ? {} : { found: `process ${holder.pid} on ${holder.host}, since ${holder.since}` }),
    hint: 'Wait for it, or take another folder. If you are sure that it no longer runs, delete this file.',
  });
}

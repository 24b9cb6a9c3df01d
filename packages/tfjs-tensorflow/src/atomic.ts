import { randomBytes } from 'node:crypto';
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';

const PREFIX = '.staging-';
/** After a day even the leftovers of other hosts (a shared home) are nobody's. */
const FORGOTTEN = 24 * 60 * 60 * 1000; // milliseconds

/**
 * Builds a folder beside its final place and renames it there when it is complete, so that `target` never exists in
 * part: a process killed at any moment leaves either all of it or a staging folder that the next run sweeps.
 * Everything is on the disk before the rename.
 */
export async function installFolder(target: string, fill: (staging: string) => Promise<void>): Promise<void> {
  const parent = dirname(target);
  await mkdir(parent, { recursive: true });
  const staging = join(parent, stagingName());
  await mkdir(staging);
  try {
    await fill(staging);
    await syncTree(staging);
    await rm(target, { recursive: true, force: true }); // only ever an incomplete or damaged one
    await rename(staging, target);
    await syncFolder(parent);
  } catch (error) {
    await rm(staging, { recursive: true, force: true }).catch(() => undefined); // the first error is the one to report
    throw error;
  }
}

/** Writes a small file in one step: readers see the old one or the new one. */
export async function installFile(target: string, text: string): Promise<void> {
  await mkdir(dirname(target), { recursive: true });
  const staging = join(dirname(target), stagingName());
  try {
    await writeSynced(staging, text);
    await rename(staging, target);
    await syncFolder(dirname(target));
  } catch (error) {
    await rm(staging, { force: true }).catch(() => undefined);
    throw error;
  }
}

/** A folder for the time of one call. */
export async function withScratchFolder(parent: string, body: (scratch: string) => Promise<void>): Promise<void> {
  const scratch = join(parent, stagingName());
  await mkdir(scratch, { recursive: true });
  try {
    await body(scratch);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

export async function writeSynced(path: string, text: string): Promise<void> {
  const file = await open(path, 'wx');
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Removes what killed processes have left in a folder. */
export async function sweep(folder: string): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) {
    if (name.startsWith(PREFIX) && (await isAbandoned(folder, name))) {
      await rm(join(folder, name), { recursive: true, force: true });
    }
  }
}

function stagingName(): string {
  return `${PREFIX}${hostname()}-${process.pid}-${randomBytes(4).toString('hex')}`;
}

async function isAbandoned(folder: string, name: string): Promise<boolean> {
  const [pid] = name.slice(PREFIX.length).split('-').slice(-2);
  if (name.startsWith(`${PREFIX}${hostname()}-`)) return !isAlive(Number(pid));
  const found = await stat(join(folder, name)).catch(() => undefined);
  return found !== undefined && Date.now() - found.mtimeMs > FORGOTTEN;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'; // alive, and somebody else's
  }
}

async function syncTree(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) await syncTree(join(folder, entry.name));
  }
  await syncFolder(folder);
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

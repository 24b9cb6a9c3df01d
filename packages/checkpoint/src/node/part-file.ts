import { randomUUID } from 'node:crypto';
import { isRcnnError } from '@rcnn/core/errors';
import { fileError, mayRun, openRegular, thisProcess } from '@rcnn/files';
import type { FileSystem } from './file-system.ts';

/** Where a download collects its bytes, and how to let go of the place. */
export interface PartFile {
  readonly path: string;
  /** Whether a later run may go on with it. */
  readonly lasting: boolean;
  release(): Promise<void>;
}

/**
 * Claims `path.part` by a lock file beside it. While another process has it, or when the bytes of two runs may not be
 * joined, the download gets a name of its own.
 */
export async function claimPart(path: string, resumable: boolean, fileSystem: FileSystem): Promise<PartFile> {
  const own: PartFile = { path: `${path}.${randomUUID()}.part`, lasting: false, release: () => Promise.resolve() };
  if (!resumable) return own;
  const lock = `${path}.part.lock`;
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      const file = await fileSystem.create(lock);
      await file.write(new TextEncoder().encode(lockText()));
      await file.close();
      HELD.add(lock);
      const release = async (): Promise<void> => {
        HELD.delete(lock);
        await fileSystem.remove(lock).catch(() => undefined);
      };
      return { path: `${path}.part`, lasting: true, release };
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'EEXIST') throw fileError(lock, 'cannot be made', error);
      if (await isHeld(lock)) return own;
      await fileSystem.remove(lock).catch(() => undefined); // its process is gone
    }
  }
  return own;
}

/** The locks of this process. */
const HELD = new Set<string>();

/** One line: host, number and, where it is known, start. */
function lockText(): string {
  const { host, pid, started } = thisProcess();
  return [host, pid, ...(started === undefined ? [] : [started])].join(' ');
}

/** Whether the process that wrote a lock is alive, as far as can be told from this machine. */
async function isHeld(lock: string): Promise<boolean> {
  const text = await lockTextOf(lock);
  if (text === undefined) return true; // not a file: leave it alone, the download gets a name of its own
  const [host = '', pid, ...started] = text.split(' ');
  if (host === '') return false; // empty, from a crash
  const holder = { host, pid: Number(pid), started: started.length > 0 ? started.join(' ') : undefined };
  if (!Number.isSafeInteger(holder.pid) || holder.pid <= 0) return false;
  // In a container that starts anew, the process that died had our own number.
  if (holder.pid === process.pid && host === thisProcess().host) return HELD.has(lock);
  return mayRun(holder);
}

async function lockTextOf(lock: string): Promise<string | undefined> {
  let file: Awaited<ReturnType<typeof openRegular>>;
  try {
    file = await openRegular(lock);
  } catch (error) {
    return isRcnnError(error, 'FILE_MISSING') ? '' : undefined;
  }
  try {
    return await file.readFile('utf8');
  } finally {
    await file.close();
  }
}

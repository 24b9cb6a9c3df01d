import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { fileError } from '@rcnn/files';
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
      await file.write(new TextEncoder().encode(`${hostname()} ${process.pid}`));
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

/** Whether the process that wrote a lock is alive, as far as can be told from this machine. */
async function isHeld(lock: string): Promise<boolean> {
  const [host, pid] = (await readFile(lock, 'utf8').catch(() => '')).split(' ');
  if (host !== hostname()) return host !== ''; // another machine's over a shared disk; an empty one is from a crash
  // In a container that starts anew, the process that died had our own number.
  if (Number(pid) === process.pid) return HELD.has(lock);
  try {
    process.kill(Number(pid), 0); // signal 0 only asks
    return true;
  } catch (error) {
    return (error as { code?: unknown }).code === 'EPERM';
  }
}

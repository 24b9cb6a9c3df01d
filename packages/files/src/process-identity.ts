import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';

/** What tells one process from all others, now and later. Goes through JSON unchanged. */
export interface ProcessIdentity {
  readonly pid: number;
  readonly host: string;
  /**
   * The machine's start and the process's own, as Linux counts them; undefined elsewhere. A container that starts anew
   * has the same host name and gives out the same numbers: its program is process 1 each time.
   */
  readonly started?: string | undefined;
}

/** The identity of this process, to be written into a lock file. */
export function thisProcess(): ProcessIdentity {
  return { pid: process.pid, host: hostname(), started: startOf('self') };
}

/**
 * Whether a process may still run. On another machine nobody can tell, so it counts as running; where starts are not
 * known, a number that is in use does, and our own too: whoever makes locks knows which ones this process holds.
 */
export function mayRun({ pid, host, started }: ProcessIdentity): boolean {
  if (host !== hostname()) return true;
  if (!numberInUse(pid)) return false;
  const now = startOf(pid);
  if (started !== undefined && now !== undefined) return started === now;
  return true;
}

function numberInUse(pid: number): boolean {
  try {
    process.kill(pid, 0); // signal 0 only asks
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

function startOf(pid: number | 'self'): string | undefined {
  if (process.platform !== 'linux') return undefined;
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the program's name in brackets, which may hold spaces and brackets; the 22nd is the start.
    const ticks = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
    return ticks === undefined ? undefined : `${boot} ${ticks}`;
  } catch {
    return undefined;
  }
}

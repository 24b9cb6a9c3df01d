import { readdirSync, readFileSync } from 'node:fs';

/**
 * Milliseconds that a process and all below it have computed so far, on all threads together: steadier than the clock on
 * a machine that does other work too. Undefined where there is no `/proc`.
 */
export function cpuTime(root: number): number | undefined {
  const children = childrenOf();
  if (children === undefined) return undefined;
  let nanoseconds = 0;
  const queue = [root];
  for (let pid = queue.pop(); pid !== undefined; pid = queue.pop()) {
    nanoseconds += timeOf(pid);
    queue.push(...(children.get(pid) ?? []));
  }
  return nanoseconds / 1e6;
}

/** Which processes each process has started. */
function childrenOf(): Map<number, number[]> | undefined {
  const children = new Map<number, number[]>();
  for (const pid of listed('/proc').filter((name) => /^\d+$/.test(name))) {
    // Behind the name, which may hold anything: state and parent.
    const parent = Number(/.*\) \S (\d+)/s.exec(read(`/proc/${pid}/stat`))?.[1]);
    children.set(parent, [...(children.get(parent) ?? []), Number(pid)]);
  }
  return children.size > 0 ? children : undefined;
}

function timeOf(pid: number): number {
  const threads = listed(`/proc/${pid}/task`).map((thread) => read(`/proc/${pid}/task/${thread}/schedstat`));
  return threads.reduce((sum, text) => sum + Number(text.split(' ', 1)[0]), 0);
}

function listed(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // no such folder, or a process that has just ended
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { OnnxRuntimeBackendError } from './errors.ts';

/** `RCNN_THREADS` if it is set, else one thread for each physical core that this process may use. */
export function defaultThreads(env: NodeJS.ProcessEnv = process.env): number {
  const wanted = env['RCNN_THREADS'];
  if (wanted !== undefined && wanted !== '') return checkThreads(Number(wanted), 'RCNN_THREADS');
  return Math.max(1, Math.min(availableParallelism(), physicalCores() ?? Number.POSITIVE_INFINITY));
}

export function checkThreads(threads: number, where: string): number {
  if (Number.isInteger(threads) && threads >= 1) return threads;
  throw new OnnxRuntimeBackendError('BAD_OPTION', `${where}: found ${threads}, expected a whole number of 1 or more.`);
}

/** Two hyperthreads share one set of multipliers: more threads than cores only get in each other's way. */
function physicalCores(): number | undefined {
  try {
    return countCores(readFileSync('/proc/cpuinfo', 'utf8'));
  } catch {
    return undefined; // not Linux
  }
}

/** Distinct (socket, core) pairs in the text of /proc/cpuinfo; undefined where it does not say. */
export function countCores(cpuinfo: string): number | undefined {
  const cores = new Set<string>();
  for (const cpu of cpuinfo.split('\n\n')) {
    const socket = /^physical id\s*:\s*(\d+)/m.exec(cpu)?.[1];
    const core = /^core id\s*:\s*(\d+)/m.exec(cpu)?.[1];
    if (socket !== undefined && core !== undefined) cores.add(`${socket}/${core}`);
  }
  return cores.size > 0 ? cores.size : undefined;
}

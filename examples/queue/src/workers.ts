/** Workers as processes of their own, as a scheduler would start them. */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export interface WorkerSettings {
  readonly address: string;
  readonly weights: string;
  readonly results: string;
}

export function startWorker({ address, weights, results }: WorkerSettings): ChildProcess {
  const program = fileURLToPath(new URL('../dist/worker.js', import.meta.url));
  const env = { ...process.env, REDIS_URL: address, WEIGHTS: weights, RESULTS: results, SCORE_THRESHOLD: '0.05', LOCK_SECONDS: '3' }; // biome-ignore format: one line
  return spawn(process.execPath, [program], { stdio: ['ignore', 'ignore', 'inherit'], env });
}

/** Ends a worker and waits until it is gone. @returns its exit code; null when it was killed */
export function endWorker(worker: ChildProcess, signal: 'SIGTERM' | 'SIGKILL'): Promise<number | null> {
  if (worker.exitCode !== null || worker.signalCode !== null) return Promise.resolve(worker.exitCode);
  const gone = new Promise<number | null>((resolve) => worker.once('exit', resolve));
  worker.kill(signal);
  return gone;
}

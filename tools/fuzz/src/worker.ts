import { parentPort } from 'node:worker_threads';
import { campaign } from './campaign.ts';
import { targets } from './targets/index.ts';

/** What the main thread asks for, and where it looks whether the work goes on. */
export interface Task {
  readonly target: string;
  readonly seed: number;
  readonly from: number;
  readonly runs: number;
  /** Number of the run in hand. */
  readonly current: Int32Array<SharedArrayBuffer>;
}

parentPort!.on('message', (task: Task) => void answer(task));

async function answer({ target: name, seed, from, runs, current }: Task): Promise<void> {
  const target = targets.find((one) => one.name === name)!;
  const tally = await campaign(target, { seed, from, runs, onRun: (run) => Atomics.store(current, 0, run) });
  parentPort!.postMessage(tally, []);
}

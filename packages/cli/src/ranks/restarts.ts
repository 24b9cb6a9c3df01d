import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { counted } from '@rcnn/core/errors';
import { readTextSync } from '@rcnn/files';
import { MISUSED } from '../output/exit-codes.ts';
import { note } from '../output/print.ts';
import { type Attempt, runTogether } from './processes.ts';

/** How a group of processes is started. */
export interface Launch {
  /** How many processes are wanted, and how many will do at least. */
  readonly most: number;
  readonly least: number;
  /** How often all of them may be started again. */
  readonly restarts: number;
}

/** Runs a command in so many processes; hears the folder of the run whenever it is saved. */
type Run = (command: readonly string[], count: number, onSaved: (folder: string) => void) => Promise<Attempt>;

/**
 * Runs a training in several processes, and starts all of them again after a failure, from the last save, as torchrun
 * does. When they fail again before anything was saved, fewer go on where that is allowed, each with so many more batches
 * that a step stays what it was.
 * @param command of each process: the program, and a training with its options
 * @returns the exit code of the last attempt
 */
export async function runRestarting(
  command: readonly string[],
  { most, least, restarts }: Launch,
  run: Run = (whole, count, onSaved) => runTogether(whole, count, { onSaved }),
): Promise<number> {
  let count = most;
  let folder: string | undefined;
  let batches = 0; // of a step, as soon as fewer processes must share them
  for (let restart = 0; ; restart++) {
    let saved = false;
    const resume = folder === undefined ? [] : ['--resume', folder];
    const share = count === most ? [] : ['--accumulate', String(batches / count)];
    const { code, stopped } = await run(withThreads([...command, ...resume, ...share], count), count, (path) => {
      saved = true;
      folder = path;
    });
    if (code === 0 || code === MISUSED || stopped || restart >= restarts) return code;
    if (restart > 0 && !saved && folder !== undefined && count > least) {
      if (count === most) batches = most * (await accumulateOf(folder));
      count = fewer(count, least, batches);
    }
    const where = folder === undefined ? 'from the beginning: nothing was saved' : `from the last save of ${folder}`;
    note(
      `Exit code ${code}; restart ${restart + 1} of ${restarts}, ${counted(count, 'process', 'processes')}, ${where}.`,
    );
  }
}

/** Each process its share of the processors, unless something else is asked for. */
function withThreads(command: readonly string[], processes: number): readonly string[] {
  if (command.some((word) => /^--threads(?:=|$)/.test(word))) return command;
  return [...command, '--threads', String(Math.max(1, Math.floor(availableParallelism() / processes)))];
}

/** The next smaller number that the batches of a step can be dealt to; the same when there is none. */
function fewer(count: number, least: number, batches: number): number {
  for (let next = count - 1; next >= least; next--) if (batches % next === 0) return next;
  return count;
}

/** Batches that each process of a run takes into a step. */
async function accumulateOf(folder: string): Promise<number> {
  const { parseConfig, resolveConfig } = await import('@rcnn/train');
  const file = join(folder, 'config.yaml');
  return resolveConfig(parseConfig(readTextSync(file), file)).accumulate;
}

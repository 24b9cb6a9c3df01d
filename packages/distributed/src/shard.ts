import { quoteName, RcnnError } from '@rcnn/core/errors';
import { checkPlace, type Environment, wholeNumber } from './environment.ts';

/** One of equal parts of a list: its items `index`, `index + count`, `index + 2 * count`, … */
export interface Shard {
  /** From 0. */
  readonly index: number;
  readonly count: number;
}

/** The items of a list that belong to a shard, with their places in the whole. */
export function shardItems<T>(
  items: readonly T[],
  { index, count }: Shard,
): { readonly item: T; readonly place: number }[] {
  const own: { item: T; place: number }[] = [];
  for (let place = index; place < items.length; place += count) own.push({ item: items[place]!, place });
  return own;
}

/** Variables that say which task of many this is. */
interface TaskNames {
  readonly index: string;
  /** Where the scheduler says how many there are. */
  readonly count?: string;
}

const TASKS: readonly TaskNames[] = [
  { index: 'SLURM_ARRAY_TASK_ID', count: 'SLURM_ARRAY_TASK_COUNT' },
  { index: 'AWS_BATCH_JOB_ARRAY_INDEX', count: 'AWS_BATCH_JOB_ARRAY_SIZE' },
  { index: 'JOB_COMPLETION_INDEX', count: 'JOB_COMPLETIONS' },
  { index: 'RANK', count: 'WORLD_SIZE' },
];

/**
 * Which part of the list: `3/200`, or `auto/200` with the index that a scheduler gives its task (a Slurm array, an AWS
 * Batch array, a Kubernetes Indexed Job, or `RANK`), or `auto` with the count from there too.
 * @throws INVALID_ARGUMENT
 */
export function shardOf(text: string, env: Environment): Shard {
  const found = /^(\d{1,9}|auto)(?:\/(\d{1,9}))?$/.exec(text.trim());
  if (found === null || (found[1] !== 'auto' && found[2] === undefined)) {
    throw new RcnnError('INVALID_ARGUMENT', {
      where: '--shard',
      problem: 'this names no part of a list',
      found: quoteName(text),
      expected: 'index/count such as 0/4, auto/4, or auto',
    });
  }
  const task = found[1] === 'auto' ? taskOf(env) : undefined;
  const index = task?.index ?? Number(found[1]);
  const count = found[2] === undefined ? task!.count() : Number(found[2]);
  checkPlace(`--shard${task === undefined ? '' : ` (index from ${task.name})`}`, index, count);
  return { index, count };
}

function taskOf(env: Environment): { readonly name: string; readonly index: number; readonly count: () => number } {
  for (const names of TASKS) {
    const index = wholeNumber(env, names.index);
    if (index !== undefined) return { name: names.index, index, count: () => countOf(names, env) };
  }
  throw new RcnnError('INVALID_ARGUMENT', {
    where: '--shard auto',
    problem: 'no scheduler says which task this is',
    expected: `one of ${TASKS.map(({ index }) => index).join(', ')}`,
    hint: 'Write the part yourself: --shard 0/4.',
  });
}

function countOf({ index, count }: TaskNames, env: Environment): number {
  const tasks = count === undefined ? undefined : wholeNumber(env, count);
  if (tasks === undefined) {
    throw new RcnnError('INVALID_ARGUMENT', {
      where: '--shard auto',
      place: index,
      problem: `it says which task this is, and ${count ?? 'nothing'} does not say of how many`,
      hint: 'Write how many: --shard auto/200.',
    });
  }
  if (index === 'SLURM_ARRAY_TASK_ID') checkWholeArray(env, tasks);
  return tasks;
}

/** Failed tasks that are submitted again (`--array=7,12`) are another array to Slurm, of two: other parts of the list. */
function checkWholeArray(env: Environment, tasks: number): void {
  const [from, to] = [wholeNumber(env, 'SLURM_ARRAY_TASK_MIN'), wholeNumber(env, 'SLURM_ARRAY_TASK_MAX')];
  if ((from ?? 0) === 0 && (to ?? tasks - 1) === tasks - 1) return;
  throw new RcnnError('INVALID_ARGUMENT', {
    where: '--shard auto',
    place: 'SLURM_ARRAY_TASK_COUNT',
    problem: 'this array is a part of another one, so its count is not that of the shards',
    found: `${tasks} tasks from ${from} to ${to}`,
    hint: 'Write how many parts there are in all: --shard auto/200.',
  });
}

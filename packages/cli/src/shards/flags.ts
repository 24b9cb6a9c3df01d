import { RcnnError } from '@rcnn/core/errors';
import type { Command } from 'commander';

export interface ShardFlags {
  readonly shard?: string;
  readonly parts?: string;
  readonly retryBad?: boolean;
}

/** Where parts go unless told otherwise. */
export const PARTS = 'runs/parts';

/** The options of a command whose list can be shared among processes. */
export function addShardOptions(command: Command): Command {
  return command
    .option(
      '--shard <i/n>',
      'only every n-th image from the i-th on (from 0), for mask-rcnn merge; auto/n asks the scheduler',
    )
    .option('--parts <folder>', `with --shard: where the parts of all processes go (default: ${PARTS})`)
    .option('--retry-bad', 'with --shard: make a finished part again when images of it could not be used');
}

/** Options that mean nothing without another are a mistake. @throws INVALID_ARGUMENT */
export function checkShardFlags({ shard, parts, retryBad }: ShardFlags): void {
  const alone = parts !== undefined ? '--parts' : retryBad === true ? '--retry-bad' : undefined;
  if (shard !== undefined || alone === undefined) return;
  throw new RcnnError('INVALID_ARGUMENT', {
    where: alone,
    problem: 'this is for a list in parts',
    hint: 'Add --shard, such as --shard 0/4.',
  });
}

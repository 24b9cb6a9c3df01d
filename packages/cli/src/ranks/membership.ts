import { spawnSync } from 'node:child_process';
import { RcnnError } from '@rcnn/core/errors';
import type { Membership } from '@rcnn/train';
import type { Command } from 'commander';
import { count, countOrNone, number } from '../options/flags.ts';
import { note } from '../output/print.ts';

/** Where the other processes are. */
export interface MemberFlags {
  readonly hosts?: string;
  readonly rank?: number;
  readonly port?: number;
  readonly peerTimeout: number;
  readonly maxRejoins: number;
  readonly alone?: boolean;
}

/** Seconds: more than a save or an evaluation lets others wait. */
const PEER_TIMEOUT = 600;

/** Options for a process among several. */
export function addMemberOptions(command: Command): Command {
  const heading = 'Several processes (torchrun, Slurm, MPI and TF_CONFIG say it by themselves):';
  return command
    .optionsGroup(heading)
    .option('--hosts <list>', 'host:port of every process with commas between, or one with {rank} in it')
    .option('--rank <n>', 'which of them this one is, from 0', number({ from: 0 }))
    .option('--port <n>', 'first port of each machine, where a launcher names hosts alone (default: 29500)', count)
    .option('--peer-timeout <seconds>', 'longest time to wait for the others in a step', count, PEER_TIMEOUT)
    .option(
      '--max-rejoins <n>',
      'how often to wait for a process that was lost to be started again, and to go on with it from the last save',
      countOrNone,
      0,
    )
    .option('--alone', 'train in this process alone, whatever a launcher says')
    .optionsGroup('Options:');
}

/** This process among those that were started together; undefined when it is alone. @throws INVALID_ARGUMENT */
export async function membershipOf(flags: MemberFlags): Promise<Membership | undefined> {
  if (flags.alone === true) return undefined;
  const { membersOf } = await import('@rcnn/distributed');
  const { hosts: listed, rank: given, port } = flags;
  const members = membersOf(process.env, { hosts: listed, rank: given, port, expandNodes });
  if (members === undefined || members.hosts.length === 1) return undefined;
  const { rank, hosts, source, localRank } = members;
  prepare(localRank);
  return {
    rank,
    size: hosts.length,
    rejoins: flags.maxRejoins,
    async join() {
      const { joinGroup } = await import('@rcnn/tfjs-tensorflow');
      const timeout = flags.peerTimeout;
      const onWaiting = (missing: readonly number[]): void =>
        note(`Rank ${rank} waits for ${missing.map((other) => `rank ${other} at ${hosts[other]}`).join(', ')}.`);
      const group = await joinGroup({ rank, hosts, timeout, onWaiting });
      if (rank === 0) note(`${hosts.length} processes train together (${source}).`);
      return group;
    },
  };
}

/** What TensorFlow reads from the environment when it is loaded. */
function prepare(localRank: number | undefined): void {
  process.env['TF_CPP_MIN_LOG_LEVEL'] = '3'; // it logs kilobytes for each process that is lost: our error says which
  // One GPU for each process: TensorFlow takes the memory of all that it sees.
  if (localRank !== undefined) process.env['CUDA_VISIBLE_DEVICES'] ??= String(localRank);
}

function expandNodes(list: string): string[] {
  const { status, stdout } = spawnSync('scontrol', ['show', 'hostnames', list], { encoding: 'utf8' });
  if (status === 0) return stdout.split('\n').filter(Boolean);
  throw new RcnnError('INVALID_ARGUMENT', {
    where: 'scontrol show hostnames',
    problem: 'Slurm does not say which machines these are',
    found: list,
    hint: 'Name them: --hosts a:29500,b:29500.',
  });
}

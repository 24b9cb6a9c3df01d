import { RcnnError } from '@rcnn/core/errors';
import { checkPlace, type Environment, wholeNumber } from './environment.ts';

/** What started the processes of a group. */
export type LauncherName = 'torchrun' | 'TF_CONFIG' | 'Slurm' | 'Open MPI' | 'MPICH' | 'Kubernetes';

/** A process among those that were started together. */
export interface Launched {
  readonly launcher: LauncherName;
  /** Which one this is, from 0. */
  readonly rank: number;
  readonly size: number;
  /** Which one of this machine, where the launcher says: the GPU to take. */
  readonly localRank: number | undefined;
  /** `host:port` of every rank, where the launcher lists them. */
  readonly hosts: readonly string[] | undefined;
}

/** Variables of one launcher; all of `rank` and `size` must be there. */
interface Names {
  readonly launcher: LauncherName;
  readonly rank: string;
  readonly size: string;
  readonly localRank: string;
}

/**
 * In the order in which they are asked: what was started last stands nearest. torchrun and MPI run inside a Slurm job or
 * a pod, never the other way round.
 */
const LAUNCHERS: readonly Names[] = [
  { launcher: 'torchrun', rank: 'RANK', size: 'WORLD_SIZE', localRank: 'LOCAL_RANK' },
  {
    launcher: 'Open MPI',
    rank: 'OMPI_COMM_WORLD_RANK',
    size: 'OMPI_COMM_WORLD_SIZE',
    localRank: 'OMPI_COMM_WORLD_LOCAL_RANK',
  },
  { launcher: 'MPICH', rank: 'PMI_RANK', size: 'PMI_SIZE', localRank: 'MPI_LOCALRANKID' },
  { launcher: 'Slurm', rank: 'SLURM_PROCID', size: 'SLURM_NTASKS', localRank: 'SLURM_LOCALID' },
  // An Indexed Job does not export its count: the manifest sets JOB_COMPLETIONS, as docs/scale.md shows.
  { launcher: 'Kubernetes', rank: 'JOB_COMPLETION_INDEX', size: 'JOB_COMPLETIONS', localRank: 'LOCAL_RANK' },
];

/**
 * What the launcher of this process says of it; undefined for a process that was started alone.
 * @throws INVALID_ARGUMENT for variables that contradict themselves
 */
export function launchedBy(env: Environment): Launched | undefined {
  const listed = fromTfConfig(env['TF_CONFIG']);
  if (listed !== undefined) return listed;
  for (const { launcher, ...names } of LAUNCHERS) {
    const rank = wholeNumber(env, names.rank);
    const size = wholeNumber(env, names.size);
    if (rank === undefined || size === undefined) continue;
    checkPlace(`${names.rank} of ${names.size}`, rank, size);
    return { launcher, rank, size, localRank: wholeNumber(env, names.localRank), hosts: undefined };
  }
  return undefined;
}

/** `{"cluster":{"worker":["host:port",…]},"task":{"type":"worker","index":0}}`, as Kubeflow and Vertex AI set it. */
function fromTfConfig(text: string | undefined): Launched | undefined {
  if (text === undefined || text.trim() === '') return undefined;
  const config = parsed(text) as {
    readonly cluster?: { readonly worker?: unknown };
    readonly task?: { readonly type?: unknown; readonly index?: unknown };
  } | null;
  const hosts = config?.cluster?.worker;
  const rank = Number(config?.task?.index);
  const isList = Array.isArray(hosts) && hosts.every((host) => typeof host === 'string');
  if (!isList || config?.task?.type !== 'worker' || !Number.isSafeInteger(rank) || rank < 0) {
    throw new RcnnError('INVALID_ARGUMENT', {
      where: 'TF_CONFIG',
      problem: 'this names no worker and its place in the cluster',
      found: text,
      expected: '{"cluster":{"worker":["host:port"]},"task":{"type":"worker","index":0}}',
    });
  }
  checkPlace('TF_CONFIG', rank, hosts.length);
  return { launcher: 'TF_CONFIG', rank, size: hosts.length, localRank: undefined, hosts: hosts as readonly string[] };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

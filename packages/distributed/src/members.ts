import { quoteName, RcnnError } from '@rcnn/core/errors';
import { type Environment, wholeNumber } from './environment.ts';
import { type Launched, launchedBy } from './launcher.ts';

/** A process among those that meet over a network, and where they all are. */
export interface Members {
  readonly rank: number;
  /** `host:port` of every rank. */
  readonly hosts: readonly string[];
  /** What says so. */
  readonly source: string;
  /** Which one of this machine, where that is known: the GPU to take. */
  readonly localRank: number | undefined;
}

export interface MembersOptions {
  /** `host:port` of every rank with commas between, or one with `{rank}` in it. Default: what the launcher says. */
  readonly hosts?: string | undefined;
  /** Default: what the launcher says. */
  readonly rank?: number | undefined;
  /** The first port on each machine, where the launcher names hosts alone. Default 29500. */
  readonly port?: number | undefined;
  /** Names of the machines in a list as Slurm writes it, `node[01-04]`: what `scontrol show hostnames` prints. */
  readonly expandNodes?: ((list: string) => readonly string[]) | undefined;
}

const PORT = 29500;

/**
 * Which process this is, and where the others are; undefined for one that was started alone.
 * @throws INVALID_ARGUMENT when there are several and it is not clear where, or what is said contradicts itself
 */
export function membersOf(env: Environment, options: MembersOptions = {}): Members | undefined {
  const launched = launchedBy(env);
  if (options.hosts !== undefined) return ofHosts(options.hosts, options.rank ?? launched?.rank, launched);
  if (options.rank !== undefined) {
    throw refusal('--rank', 'there is no list of the processes', '--hosts a:29500,b:29500 --rank 0');
  }
  // A script of sbatch that calls the program without srun is one process, whatever it has reserved.
  const isStep = launched?.launcher !== 'Slurm' || wholeNumber(env, 'SLURM_STEP_NUM_TASKS') !== undefined;
  if (launched === undefined || launched.size === 1 || !isStep) return undefined;
  const { rank, launcher, localRank } = launched;
  const hosts = launched.hosts ?? onThisMachine(launched, env, options) ?? ofSlurm(launched, env, options);
  if (hosts !== undefined) return { rank, hosts, source: launcher, localRank };
  throw refusal(
    launcher,
    `it started ${launched.size} processes and does not say where they are`,
    '--hosts with host:port of each, or with {rank} in it: --hosts train-{rank}.train:29500',
  );
}

function ofHosts(text: string, rank: number | undefined, launched: Launched | undefined): Members {
  const pattern = text.includes('{rank}');
  if (pattern && launched === undefined) {
    throw refusal('--hosts', 'nothing says how many processes there are', 'a list: --hosts a:29500,b:29500');
  }
  const hosts = pattern
    ? Array.from({ length: launched!.size }, (_, i) => text.replaceAll('{rank}', String(i)))
    : text.split(',').map((host) => host.trim());
  if (launched !== undefined && launched.size > 1 && launched.size !== hosts.length) {
    throw refusal('--hosts', `${launched.launcher} started ${launched.size} processes`, `${launched.size} hosts`, text);
  }
  if (rank === undefined) throw refusal('--hosts', 'nothing says which of them this process is', '--rank');
  if (rank >= hosts.length) throw refusal('--rank', 'there is no such host', `below ${hosts.length}`, String(rank));
  return { rank, hosts, source: '--hosts', localRank: launched?.localRank };
}

/** Variables that say how many of the processes are on this machine, and the first port where one says that. */
const LOCAL: Readonly<Partial<Record<Launched['launcher'], { readonly count: string; readonly port?: string }>>> = {
  torchrun: { count: 'LOCAL_WORLD_SIZE', port: 'MASTER_PORT' },
  'Open MPI': { count: 'OMPI_COMM_WORLD_LOCAL_SIZE' },
  MPICH: { count: 'MPI_LOCALNRANKS' },
};

/** All of them on this machine: on its loopback. */
function onThisMachine(
  { launcher, size }: Launched,
  env: Environment,
  { port }: MembersOptions,
): readonly string[] | undefined {
  const names = LOCAL[launcher];
  if (names === undefined || wholeNumber(env, names.count) !== size) return undefined;
  const taken = names.port === undefined ? undefined : wholeNumber(env, names.port); // by torchrun itself
  const first = port ?? (taken === undefined ? PORT : taken + 1);
  return Array.from({ length: size }, (_, i) => `127.0.0.1:${first + i}`);
}

/** Slurm fills one machine after the other: tasks per machine are `2(x3),1`. */
function ofSlurm(
  { launcher, rank, size }: Launched,
  env: Environment,
  { port = PORT, expandNodes }: MembersOptions,
): readonly string[] | undefined {
  const [list, tasks] = [env['SLURM_STEP_NODELIST'], env['SLURM_STEP_TASKS_PER_NODE']];
  if (launcher !== 'Slurm' || !list || !tasks || expandNodes === undefined) return undefined;
  const counts = tasks.split(',').flatMap((part) => {
    const [, count, times = '1'] = /^(\d+)(?:\(x(\d+)\))?$/.exec(part.trim()) ?? [];
    if (count === undefined) throw refusal('SLURM_STEP_TASKS_PER_NODE', 'it cannot be read', '2(x3),1', tasks);
    return Array<number>(Number(times)).fill(Number(count));
  });
  const nodes = expandNodes(list);
  const hosts = nodes.flatMap((node, i) => Array.from({ length: counts[i] ?? 0 }, (_, k) => `${node}:${port + k}`));
  const own = wholeNumber(env, 'SLURM_NODEID');
  const fits = own === undefined || hosts[rank]?.startsWith(`${nodes[own]}:`) === true;
  if (hosts.length === size && fits) return hosts;
  throw refusal(
    'SLURM_STEP_TASKS_PER_NODE',
    'tasks are not dealt to one machine after the other',
    'srun --distribution=block',
    `${tasks} on ${list}`,
  );
}

function refusal(where: string, problem: string, expected: string, found?: string): RcnnError {
  return new RcnnError('INVALID_ARGUMENT', {
    where,
    problem,
    ...(found !== undefined && { found: quoteName(found) }),
    expected,
    hint: 'To train alone whatever the variables say: --alone.',
  });
}

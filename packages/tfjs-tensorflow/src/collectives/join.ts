import { setTimeout as pause } from 'node:timers/promises';
import { isRcnnError, RcnnError } from '@rcnn/core/errors';
import { localGroups, type ProcessGroup } from '@rcnn/distributed';
import { type NativeBackend, nativeBackend } from './binding.ts';
import { inWords } from './failures.ts';
import { CollectiveGroup } from './group.ts';
import { serverDef } from './server-def.ts';
import { silent } from './watch.ts';

/** Which process this is, of which. */
export interface JoinOptions {
  /** From 0. */
  readonly rank: number;
  /** `host:port` of every rank, by rank: where its TensorFlow listens. */
  readonly hosts: readonly string[];
  /**
   * Seconds that a meeting may take: more than the longest time that a rank honestly lets others wait, such as for a
   * save. Default 600.
   */
  readonly timeout?: number | undefined;
  /** Seconds to wait for all processes to be started. Default 600. */
  readonly joinTimeout?: number | undefined;
  /** Told every 30 s which ranks are missing. */
  readonly onWaiting?: ((missing: readonly number[]) => void) | undefined;
}

/** Seconds. */
const DEFAULT_TIMEOUT = 600;
const REMIND = 30;

/**
 * Joins the processes that work together, by way of TensorFlow's collective operations; the engine must be up. Ranks may
 * come in any order.
 *
 * **TensorFlow's port knows no password and listens on every interface: whoever reaches it runs what he likes.** Keep it in
 * a network of its own.
 *
 * @throws ENGINE_MISSING, INVALID_ARGUMENT, IO_FAILED (the port is taken), TIMEOUT naming who is missing
 */
export async function joinGroup(options: JoinOptions): Promise<ProcessGroup> {
  const { rank, hosts, timeout = DEFAULT_TIMEOUT, joinTimeout = DEFAULT_TIMEOUT, onWaiting } = options;
  checkOptions(options);
  if (hosts.length === 1) return localGroups(1)[0]!;
  const backend = nativeBackend();
  const definition = serverDef({ rank, hosts, nccl: backend.isUsingGpuDevice });
  const enter = (seconds: number): Promise<void> =>
    startServer(backend, definition, hosts[rank]!, () =>
      waitForAll(backend, { rank, size: hosts.length, seconds, onWaiting }),
    );
  await enter(joinTimeout);
  const group = new CollectiveGroup(backend, { rank, size: hosts.length, timeout, enter: () => enter(joinTimeout) });
  try {
    await group.begin(joinTimeout);
  } catch (error) {
    if (!isRcnnError(error, 'PEER_LOST')) throw error;
    await group.reset(); // another rank that comes back was starting over just then
  }
  return group;
}

async function startServer(
  { binding }: NativeBackend,
  definition: Uint8Array,
  address: string,
  meet: () => Promise<void>,
): Promise<void> {
  try {
    await binding.enableCollectives(definition);
  } catch (cause) {
    const taken = (cause as Error).message.includes('Could not start gRPC server');
    throw new RcnnError('IO_FAILED', {
      where: 'joinGroup',
      place: address,
      problem: taken ? 'the port cannot be listened on' : 'TensorFlow cannot start its server',
      found: (cause as Error).message,
      hint: taken
        ? 'Another process has it, or did a moment ago: choose another port.'
        : 'Are all hosts given as host:port?',
      cause,
    });
  }
  await meet();
}

interface Waiting {
  readonly rank: number;
  readonly size: number;
  readonly seconds: number;
  readonly onWaiting: JoinOptions['onWaiting'];
}

/** Waits until the processes of all ranks answer. @throws TIMEOUT naming who is missing */
async function waitForAll({ binding }: NativeBackend, { rank, size, seconds, onWaiting }: Waiting): Promise<void> {
  const begin = performance.now();
  let missing = [...Array(size).keys()].filter((other) => other !== rank);
  for (let reminded = 0; ; ) {
    missing = await silent(binding, missing);
    if (missing.length === 0) return;
    const waited = (performance.now() - begin) / 1000;
    if (waited > seconds) {
      throw new RcnnError('TIMEOUT', {
        where: 'joinGroup',
        problem: `${inWords(missing)} did not come within ${seconds} s`,
        hint: 'Are all processes started, and can they reach each other at the addresses that they were given?',
      });
    }
    if (waited - reminded >= REMIND) {
      reminded = waited;
      onWaiting?.(missing);
    }
    await pause(200);
  }
}

function checkOptions({ rank, hosts }: JoinOptions): void {
  const bad = hosts.find((host) => !/^[^\s:]+:\d{1,5}$|^\[[\da-f:.]+\]:\d{1,5}$/i.test(host));
  if (bad !== undefined || hosts.length === 0) {
    throw new RcnnError('INVALID_ARGUMENT', {
      where: 'joinGroup',
      place: 'hosts',
      problem: 'each rank needs an address',
      found: bad ?? 'none',
      expected: 'host:port',
    });
  }
  if (new Set(hosts).size < hosts.length) {
    throw new RcnnError('INVALID_ARGUMENT', {
      where: 'joinGroup',
      place: 'hosts',
      problem: 'two ranks have the same address',
      found: hosts.join(', '),
    });
  }
  if (Number.isSafeInteger(rank) && rank >= 0 && rank < hosts.length) return;
  throw new RcnnError('INVALID_ARGUMENT', {
    where: 'joinGroup',
    place: 'rank',
    problem: 'there is no address for this rank',
    found: String(rank),
    expected: `0 to ${hosts.length - 1}`,
  });
}

import { spawnSync } from 'node:child_process';

/** What stands before a command so that it runs in a network of its own, which has nothing but a loopback. */
export const OWN_NETWORK: readonly string[] = ['unshare', '-rn', 'sh', '-c', 'ip link set lo up && exec "$@"', 'sh'];

/** Whether this process may make such a network (Linux; containers often may not). */
export function mayOwnNetwork(): boolean {
  const [program, ...args] = OWN_NETWORK;
  return process.platform === 'linux' && spawnSync(program!, [...args, 'true'], { stdio: 'ignore' }).status === 0;
}

import { spawn, spawnSync } from 'node:child_process';

/** Why this process may not make a network of its own, which holds nothing but a loopback; undefined when it may. */
export function noOwnNetwork(): string | undefined {
  const { status } = spawnSync('unshare', ['-rn', 'sh', '-c', 'ip link set lo up'], { stdio: 'ignore' });
  return status === 0 ? undefined : 'no network namespace can be made here (unshare, ip)';
}

/** Runs a shell script in a network of its own; gives what it printed. */
export function inOwnNetwork(script: string, env: Readonly<Record<string, string>>): Promise<string> {
  const child = spawn('unshare', ['-rn', 'sh', '-c', `ip link set lo up; ${script}`], {
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { ...process.env, ...env },
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', () => resolve(output));
  });
}

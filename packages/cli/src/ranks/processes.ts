import { type ChildProcess, spawn } from 'node:child_process';
import { createServer, type Server } from 'node:net';
import { constants } from 'node:os';
import { createInterface } from 'node:readline';
import { note, print } from '../output/print.ts';

/** What another process lost says (EX_TEMPFAIL): not the cause, where another one says something else. */
const LOST = 75;

/** Seconds after one has failed in which the others find it out by themselves; then they are asked to end, then ended. */
interface Patience {
  readonly ask: number;
  readonly end: number;
}

const PATIENCE: Patience = { ask: 20, end: 28 };

/** Free ports of this machine's loopback. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, () => {
      const server = createServer();
      return new Promise<Server>((resolve, reject) => {
        server.once('error', reject);
        server.listen(0, '127.0.0.1', () => resolve(server));
      });
    }),
  );
  const ports = servers.map((server) => (server.address() as { readonly port: number }).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

/**
 * Runs one command several times at once, with `TF_CONFIG` telling each which one it is; lines are printed with the
 * number of the process before them. Signals go to all, once. When one fails, all end within half a minute.
 * @returns the exit code of what failed first, else 0
 */
export async function runTogether(
  command: readonly string[],
  count: number,
  { ask, end }: Patience = PATIENCE,
): Promise<number> {
  const worker = (await freePorts(count)).map((port) => `127.0.0.1:${port}`);
  const children = Array.from({ length: count }, (_, index) => {
    const config = JSON.stringify({ cluster: { worker }, task: { type: 'worker', index } });
    return begin(command, index, { TF_CONFIG: config, LOCAL_RANK: String(index) });
  });
  const kill = (signal: NodeJS.Signals): void => children.forEach((child) => child.kill(signal));
  const timers: NodeJS.Timeout[] = [];
  const endOthers = (): void => {
    if (timers.length > 0) return;
    timers.push(
      setTimeout(() => kill('SIGTERM'), ask * 1000),
      setTimeout(() => kill('SIGKILL'), end * 1000),
    );
  };
  process.on('SIGINT', kill);
  process.on('SIGTERM', kill);
  try {
    const codes: number[] = [];
    await Promise.all(
      children.map(async (child) => {
        const code = await ended(child);
        codes.push(code);
        if (code !== 0) endOthers();
      }),
    );
    const failed = codes.filter((code) => code !== 0);
    return failed.find((code) => code !== LOST) ?? failed[0] ?? 0;
  } finally {
    timers.forEach(clearTimeout);
    process.removeListener('SIGINT', kill);
    process.removeListener('SIGTERM', kill);
  }
}

function begin(command: readonly string[], index: number, env: Readonly<Record<string, string>>): ChildProcess {
  const [program, ...args] = command;
  const child = spawn(program!, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
    detached: true, // a terminal's Ctrl-C goes to this process alone, which passes it on once
  });
  createInterface({ input: child.stdout }).on('line', (line) => print(`[${index}] ${line}`));
  createInterface({ input: child.stderr }).on('line', (line) => note(`[${index}] ${line}`));
  return child;
}

function ended(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve(code ?? 128 + constants.signals[signal!]));
  });
}

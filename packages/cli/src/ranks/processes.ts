import { type ChildProcess, spawn } from 'node:child_process';
import { createServer, type Server } from 'node:net';
import { constants } from 'node:os';
import { createInterface } from 'node:readline';
import { LOST } from '../output/exit-codes.ts';
import { note, print } from '../output/print.ts';

/** Seconds after one has failed in which the others find it out by themselves; then they are asked to end, then ended. */
interface Patience {
  readonly ask: number;
  readonly end: number;
}

const PATIENCE: Patience = { ask: 20, end: 28 };

/** What a process that was launched tells whoever launched it, whenever its training is saved. */
export interface SavedMessage {
  /** The folder of the run. */
  readonly saved: string;
}

/** How processes together ended. */
export interface Attempt {
  /** Of what failed first, and not because it lost another one; else 0. */
  readonly code: number;
  /** Whether a signal asked for it. */
  readonly stopped: boolean;
}

interface Running {
  readonly patience?: Patience | undefined;
  /** Hears the folder of the run. */
  readonly onSaved?: ((folder: string) => void) | undefined;
}

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
 */
export async function runTogether(
  command: readonly string[],
  count: number,
  { patience: { ask, end } = PATIENCE, onSaved }: Running = {},
): Promise<Attempt> {
  const worker = (await freePorts(count)).map((port) => `127.0.0.1:${port}`);
  const children = Array.from({ length: count }, (_, index) => {
    const config = JSON.stringify({ cluster: { worker }, task: { type: 'worker', index } });
    return begin(command, index, { TF_CONFIG: config, LOCAL_RANK: String(index) });
  });
  for (const child of children) {
    child.on('message', (message) => {
      const { saved } = (message ?? {}) as Partial<SavedMessage>;
      if (typeof saved === 'string') onSaved?.(saved);
    });
  }
  const kill = (signal: NodeJS.Signals): void => children.forEach((child) => child.kill(signal));
  let stopped = false;
  const stop = (signal: NodeJS.Signals): void => {
    stopped = true;
    kill(signal);
  };
  const timers: NodeJS.Timeout[] = [];
  const endOthers = (): void => {
    if (timers.length > 0) return;
    timers.push(
      setTimeout(() => kill('SIGTERM'), ask * 1000),
      setTimeout(() => kill('SIGKILL'), end * 1000),
    );
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
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
    return { code: failed.find((code) => code !== LOST) ?? failed[0] ?? 0, stopped };
  } finally {
    timers.forEach(clearTimeout);
    process.removeListener('SIGINT', stop);
    process.removeListener('SIGTERM', stop);
  }
}

function begin(command: readonly string[], index: number, env: Readonly<Record<string, string>>): ChildProcess {
  const [program, ...args] = command;
  const child = spawn(program!, args, {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    env: { ...process.env, ...env },
    detached: true, // a terminal's Ctrl-C goes to this process alone, which passes it on once
  });
  createInterface({ input: child.stdout! }).on('line', (line) => print(`[${index}] ${line}`));
  createInterface({ input: child.stderr! }).on('line', (line) => note(`[${index}] ${line}`));
  return child;
}

function ended(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve(code ?? 128 + constants.signals[signal!]));
  });
}

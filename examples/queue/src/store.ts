/** A Valkey or Redis of this machine, for the show and its test: on the loopback interface, in a folder that goes away. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createServer } from 'node:net';

export interface Store {
  readonly address: string;
  close(): Promise<void>;
}

/** The program that is installed here, if any: Debian's package is `valkey-server` or `redis-server`. */
export function storeProgram(): string | undefined {
  return ['valkey-server', 'redis-server'].find((name) => spawnSync(name, ['--version']).status === 0);
}

/** Starts it on a free port and waits until it takes connections. */
export async function startStore(program: string, folder: string): Promise<Store> {
  const port = await freePort();
  // The queue is in memory here. Outside of a show keep it: appendonly yes, and maxmemory-policy noeviction as BullMQ asks.
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--save', '', '--maxmemory-policy', 'noeviction']; // biome-ignore format: one line
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  await ready(child);
  return {
    address: `redis://127.0.0.1:${port}`,
    async close() {
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      await gone;
    },
  };
}

function ready(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`the server ended with ${code}`)));
    child.stdout!.on('data', (text: Buffer) => {
      if (text.toString().includes('Ready to accept connections')) resolve();
    });
  });
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address() as { port: number };
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

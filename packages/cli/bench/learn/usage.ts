/** Runs a program and watches what it takes of the machine. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** What a process took while it ran. */
export interface Usage {
  readonly seconds: number;
  /** Of all threads; undefined where the system does not tell. */
  readonly cpuSeconds: number | undefined;
  /** Most memory that it held. */
  readonly peakBytes: number | undefined;
}

/** Milliseconds between two looks. */
const LOOK = 500;

/** Clock ticks in a second: Linux has 100 everywhere that Node runs. */
const TICKS = 100;

/** Runs to the end, output where ours goes. @throws when it ends with another status than 0 */
export async function runWatched(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Usage & { readonly output: string }> {
  const begun = performance.now();
  const child = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
  });
  const ended = new Promise<string>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) =>
      code === 0 ? resolve('') : reject(new Error(`${program} ${args[0]} ended with ${signal ?? `status ${code}`}`)),
    );
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output = (output + text).slice(-65536); // what it says last is what counts
    process.stderr.write(text);
  });
  let last: Pick<Usage, 'cpuSeconds' | 'peakBytes'> = { cpuSeconds: undefined, peakBytes: undefined };
  const timer = setInterval(() => {
    last = lookAt(child.pid!) ?? last;
  }, LOOK);
  try {
    await ended;
  } finally {
    clearInterval(timer);
  }
  return { seconds: (performance.now() - begun) / 1000, ...last, output };
}

/** Linux tells of any process; elsewhere nothing is known. */
function lookAt(pid: number): Pick<Usage, 'cpuSeconds' | 'peakBytes'> | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name in brackets may hold spaces; user and system time are the 14th and 15th field of the line.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const peak = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
    if (peak === null) return undefined;
    return { cpuSeconds: (Number(fields[11]) + Number(fields[12])) / TICKS, peakBytes: Number(peak[1]) * 1024 };
  } catch {
    return undefined;
  }
}

import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const SCRIPT = fileURLToPath(new URL('../../../../tools/reference/time_torch.py', import.meta.url));

/** PyTorch in a process of its own; it times the same work when asked to, one at a time. */
export class TorchPeer {
  readonly version: string;
  private readonly child: ChildProcess;
  private readonly answers: AsyncIterator<string>;

  private constructor(child: ChildProcess, answers: AsyncIterator<string>, version: string) {
    this.child = child;
    this.answers = answers;
    this.version = version;
  }

  static async start(python: string, threads: number, clock: string): Promise<TorchPeer> {
    const child = spawn(python, [SCRIPT, String(threads), clock], { stdio: ['pipe', 'pipe', 'inherit'] });
    const lines: Interface = createInterface({ input: child.stdout! });
    const answers = lines[Symbol.asyncIterator]();
    const first = await answers.next();
    if (first.done) throw new Error(`${python} ${SCRIPT} ended at once; does it have torch?`);
    return new TorchPeer(child, answers, first.value);
  }

  /** Mean milliseconds of so many runs; undefined for work that PyTorch has no equal of. */
  async time(work: object, repeats: number): Promise<number | undefined> {
    this.child.stdin!.write(`${JSON.stringify({ work, repeats })}\n`);
    const { value } = (await this.answers.next()) as { value: string };
    return (JSON.parse(value) as { ms?: number }).ms;
  }

  stop(): void {
    this.child.stdin!.end();
  }
}

import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const PROGRAM = fileURLToPath(new URL('../../bin/mask-rcnn.js', import.meta.url));

/** The program itself, as a user starts it. */
export class Program {
  readonly #folder: string;
  readonly #words: readonly string[];
  readonly #pin: boolean;

  /**
   * @param words with which most calls begin
   * @param pin whether each call may use one core alone
   */
  constructor(folder: string, words: readonly string[], pin: boolean) {
    this.#folder = folder;
    this.#words = words;
    this.#pin = pin;
  }

  /** @throws what it said, if it fails */
  run(words: readonly string[], core = 0): Promise<void> {
    return ended(this.#start([...this.#words, ...words], core));
  }

  /** {@link run} of another command. */
  other(words: readonly string[]): Promise<void> {
    return ended(this.#start(words, 0));
  }

  /** Kills it after so many milliseconds. Whether it still ran. */
  async killedAfter(milliseconds: number, words: readonly string[], core = 0): Promise<boolean> {
    const child = this.#start([...this.#words, ...words], core);
    const timer = setTimeout(() => child.kill('SIGKILL'), milliseconds);
    const signal = await new Promise((resolve) => child.once('close', (_, by) => resolve(by)));
    clearTimeout(timer);
    return signal === 'SIGKILL';
  }

  #start(words: readonly string[], core: number): ChildProcess {
    const line = [process.execPath, PROGRAM, ...words];
    const [program, ...rest] = this.#pin ? ['taskset', '-c', String(core), ...line] : line;
    return spawn(program!, rest, { cwd: this.#folder, stdio: ['ignore', 'ignore', 'pipe'] });
  }
}

function ended(child: ChildProcess): Promise<void> {
  let said = '';
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-4000);
  });
  return new Promise((resolve, reject) => {
    child.once('close', (code, signal) => {
      if (code === 0) resolve();
      else reject(new Error(`${child.spawnargs.slice(2).join(' ')} ended with ${signal ?? code}:\n${said}`));
    });
  });
}

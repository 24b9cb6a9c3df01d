import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';

/** Where the files of one run are. */
export class RunFolder {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /** Makes `out/name`, or `out/name2`, `name3`, … when there is a run already: nothing is ever overwritten. */
  static create(out: string, name: string): RunFolder {
    mkdirSync(out, { recursive: true });
    for (let number = 1; ; number++) {
      const path = join(out, number === 1 ? name : `${name}${number}`);
      try {
        mkdirSync(path);
        return new RunFolder(path).prepare();
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
    }
  }

  /** Makes the folders inside. */
  prepare(): this {
    mkdirSync(join(this.path, 'checkpoints'), { recursive: true });
    mkdirSync(join(this.path, 'pictures'), { recursive: true });
    return this;
  }

  get config(): string {
    return join(this.path, 'config.yaml');
  }

  get environment(): string {
    return join(this.path, 'environment.json');
  }

  get lock(): string {
    return join(this.path, 'run.lock');
  }

  get last(): string {
    return join(this.path, 'checkpoints', 'last.safetensors');
  }

  get best(): string {
    return join(this.path, 'checkpoints', 'best.safetensors');
  }

  get checkpoints(): string {
    return join(this.path, 'checkpoints');
  }

  get evaluation(): string {
    return join(this.path, 'evaluation.json');
  }

  get predictions(): string {
    return join(this.path, 'predictions.json');
  }

  get report(): string {
    return join(this.path, 'report.html');
  }

  picture(name: string): string {
    return join(this.path, 'pictures', `${name}.png`);
  }

  /** Whether there is a state to go on from. */
  get canResume(): boolean {
    return existsSync(this.last);
  }
}

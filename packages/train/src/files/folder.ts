import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { makeFolder, onDisk } from './disk.ts';

/** Where the files of one run are. */
export class RunFolder {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /**
   * Makes `out/name`, or `out/name2`, `name3`, … when there is a run already: nothing is ever overwritten.
   * @throws FILE_EXISTS, FILE_MISSING, DISK_FULL, IO_FAILED
   */
  static create(out: string, name: string): RunFolder {
    makeFolder(out);
    for (let number = 1; ; number++) {
      const path = join(out, number === 1 ? name : `${name}${number}`);
      if (existsSync(path)) continue;
      if (onDisk(path, 'the folder cannot be made', () => makeNew(path))) return new RunFolder(path).prepare();
    }
  }

  /** Makes the folders inside. */
  prepare(): this {
    makeFolder(join(this.path, 'checkpoints'));
    makeFolder(join(this.path, 'pictures'));
    return this;
  }

  get config(): string {
    return join(this.path, 'config.yaml');
  }

  get environment(): string {
    return join(this.path, 'environment.json');
  }

  /** What the run learns from, so that a resumed run can tell whether it still does. */
  get data(): string {
    return join(this.path, 'data.json');
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

  /** Where the model errs, and from which score on it is best. */
  get analysis(): string {
    return join(this.path, 'analysis.json');
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

/** Whether this call made the folder: another run may have been quicker. */
function makeNew(path: string): boolean {
  try {
    mkdirSync(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

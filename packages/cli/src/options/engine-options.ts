import { Option } from 'commander';
import { count } from './flags.ts';

/** On which engine a command computes. */
export interface EngineFlags {
  readonly engine: string;
  readonly threads?: number | undefined;
}

/** `--engine`, as every command that predicts has it. */
export function engineOption(): Option {
  return new Option('--engine <name>', 'engine to compute on').default('auto');
}

/** `--threads`, likewise. */
export function threadsOption(): Option {
  return new Option('--threads <n>', 'threads of the engine (one for each core)').argParser(count);
}

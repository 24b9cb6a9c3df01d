import type { Architecture } from '@rcnn/models';
import type { Command } from 'commander';

/** What a program of your own brings along. */
export interface ProgramOptions {
  /** The kinds of detectors that every command knows. Default those of `@rcnn/models`. */
  readonly architectures?: readonly Architecture[] | undefined;
}

/**
 * One command of the program, in a file of its own under `commands/`. `configure` states arguments, options and the
 * action; heavy imports belong inside the action, so that `--help` stays quick.
 */
export interface CommandDefinition {
  readonly name: string;
  readonly summary: string;
  /** Calls that help shows, two or more, each with what it is for. */
  readonly examples: readonly (readonly [call: string, about: string])[];
  configure(command: Command, program: ProgramOptions): void;
}

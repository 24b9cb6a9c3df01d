import { isRcnnError } from '@rcnn/core/errors';
import { Command, CommanderError } from 'commander';
import { commands } from './commands/index.ts';

/** Exit codes: 0 done, 1 the work failed, 2 the call was wrong. */
const FAILED = 1;
const MISUSED = 2;

/** Builds the program. Separate from {@link main} so that tests and documentation can read it. */
export function createProgram(): Command {
  const program = new Command('mask-rcnn')
    .description('Train, evaluate and run Mask R-CNN in Node.')
    .option('--debug', 'print the stack of an error')
    .showSuggestionAfterError()
    .showHelpAfterError('(mask-rcnn <command> --help tells more)')
    .exitOverride();
  for (const { name, summary, configure } of commands) {
    const command = program.command(name).description(summary).exitOverride();
    configure(command);
  }
  return program;
}

/** Runs one call and gives its exit code. Errors go to stderr, one clear message each. */
export async function main(args: readonly string[]): Promise<number> {
  const program = createProgram();
  try {
    await program.parseAsync([...args], { from: 'user' });
    return typeof process.exitCode === 'number' ? process.exitCode : 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : MISUSED;
    report(error, args.includes('--debug'));
    return isRcnnError(error, 'INVALID_ARGUMENT') || isRcnnError(error, 'CONFIG_INVALID') ? MISUSED : FAILED;
  }
}

function report(error: unknown, debug: boolean): void {
  if (isRcnnError(error)) {
    process.stderr.write(`error ${error.code}: ${error.message}\n`);
  } else {
    process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`);
    if (!debug)
      process.stderr.write('This is not an error we expected; run again with --debug and please report it.\n');
  }
  if (debug && error instanceof Error) process.stderr.write(`${error.stack}\n`);
}

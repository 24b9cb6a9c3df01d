import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { isRcnnError } from '@rcnn/core/errors';
import { Command, CommanderError } from 'commander';
import type { ProgramOptions } from './command.ts';
import { commands } from './commands/index.ts';
import { launchedCommand } from './commands/launch.ts';
import { inTodaysWords } from './options/old-spellings.ts';
import { FAILED, LOST, MISUSED } from './output/exit-codes.ts';
import { helpWriter, note, printError, printStack } from './output/print.ts';
import { systemError } from './output/system-error.ts';

/**
 * Builds the program. Separate from {@link main} so that tests and documentation can read it, and that a program of your
 * own can have more detectors: `createProgram({ architectures: [...architectures, mine] })`.
 */
export function createProgram(options: ProgramOptions = {}): Command {
  const program = configured(new Command('mask-rcnn'))
    .description('Train, evaluate and run Mask R-CNN in Node.')
    .version(version(), '-V, --version', 'print the version')
    .option('--debug', 'print the stack of an error')
    .showSuggestionAfterError()
    .showHelpAfterError('(mask-rcnn <command> --help tells more)');
  for (const { name, summary, examples, configure } of commands) {
    const command = configured(program.command(name).description(summary));
    command.showHelpAfterError(`(mask-rcnn ${name} --help tells more)`);
    configure(command, options);
    command.addHelpText('after', `\nExamples:\n${examplesText(examples)}`);
  }
  return program;
}

function examplesText(examples: (typeof commands)[number]['examples']): string {
  return examples.map(([call, about]) => `  ${call}\n      ${about}`).join('\n');
}

function configured(command: Command): Command {
  return command.exitOverride().configureOutput({
    writeOut: helpWriter(process.stdout),
    writeErr: helpWriter(process.stderr),
    outputError: (text) => {
      const message = text.replace(/^error: /, '');
      const [isUnknown, option] = /^unknown option '(.+?)'/s.exec(message) ?? [];
      printError(`error ${isUnknown ? 'UNKNOWN_OPTION' : 'INVALID_ARGUMENT'}`, message);
      if (option !== undefined && existsSync(option)) note(`There is a file of this name: write ./${option} for it.`);
    },
  });
}

function version(): string {
  return (createRequire(import.meta.url)('@rcnn/cli/package.json') as { readonly version: string }).version;
}

/** Runs one call and gives its exit code. Errors go to stderr, one clear message each. */
export async function main(args: readonly string[], options: ProgramOptions = {}): Promise<number> {
  const program = createProgram(options);
  try {
    await program.parseAsync(inTodaysWords(launchedCommand(args), note), { from: 'user' });
    return typeof process.exitCode === 'number' ? process.exitCode : 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : MISUSED;
    report(error, args.includes('--debug'));
    if (isRcnnError(error, 'PEER_LOST') || isRcnnError(error, 'TIMEOUT')) return LOST;
    return isRcnnError(error, 'INVALID_ARGUMENT') || isRcnnError(error, 'CONFIG_INVALID') ? MISUSED : FAILED;
  }
}

function report(thrown: unknown, debug: boolean): void {
  const error = systemError(thrown);
  if (isRcnnError(error)) {
    printError(`error ${error.code}`, error.message);
  } else {
    printError('error', error instanceof Error ? error.message : String(error));
    if (!debug) note('This is not an error we expected; run again with --debug and please report it.');
  }
  if (debug && thrown instanceof Error) printStack(thrown.stack ?? thrown.message);
}

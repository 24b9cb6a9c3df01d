import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, writeSync } from 'node:fs';
import type { Program } from '../program.ts';

/**
 * Begins `mask-rcnn train …` in a process that outlives the studio. All that it prints goes to the end of a log file.
 * @returns the process, and the line that a person would type
 */
export function beginTraining(
  program: Program,
  args: readonly string[],
  log: string,
): { readonly child: ChildProcess; readonly line: string } {
  const line = `mask-rcnn ${args.map(quoted).join(' ')}`;
  const file = openSync(log, 'a');
  try {
    writeSync(file, `$ ${line}\n`);
    const [command, ...rest] = program;
    const child = spawn(command, [...rest, ...args], { detached: true, stdio: ['ignore', file, file] });
    child.unref();
    return { child, line };
  } finally {
    closeSync(file);
  }
}

/** For a shell. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

import { vi } from 'vitest';
import type { ProgramOptions } from '../../src/command.ts';
import { main } from '../../src/main.ts';

export interface Call {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs the program in this process; gives its exit code and what it wrote. */
export function call(...args: string[]): Promise<Call> {
  return callWith({}, ...args);
}

/** The same, for a program that has more detectors. */
export async function callWith(options: ProgramOptions, ...args: string[]): Promise<Call> {
  const written = { out: '', err: '' };
  const stdout = vi.spyOn(process.stdout, 'write').mockImplementation((text) => ((written.out += String(text)), true));
  const stderr = vi.spyOn(process.stderr, 'write').mockImplementation((text) => ((written.err += String(text)), true));
  process.exitCode = undefined;
  try {
    return { code: await main(args, options), ...written };
  } finally {
    process.exitCode = undefined;
    stdout.mockRestore();
    stderr.mockRestore();
  }
}

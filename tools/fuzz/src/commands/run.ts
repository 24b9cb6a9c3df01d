import { main } from '@rcnn/cli';
import { patchesArchitecture } from '../../../../packages/cli/test/support/patches-architecture.ts';

export interface Ended {
  readonly code: number;
  /** What was written to stdout and stderr. */
  readonly text: string;
}

/** Runs the program in this process, with a detector of one weight beside its own. */
export async function run(args: readonly string[]): Promise<Ended> {
  let text = '';
  const { stdout, stderr } = process;
  const real = [stdout.write, stderr.write] as const;
  const write = (part: string | Uint8Array): boolean => {
    text += String(part);
    return true;
  };
  [stdout.write, stderr.write] = [write, write] as unknown as typeof real;
  process.exitCode = undefined;
  try {
    return { code: await main(args, { architectures: [patchesArchitecture] }), text };
  } finally {
    [stdout.write, stderr.write] = real;
    process.exitCode = undefined;
  }
}

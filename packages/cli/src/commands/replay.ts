import type { Command } from 'commander';
import type { CommandDefinition, ProgramOptions } from '../command.ts';
import { loaders } from '../engines/loaders.ts';
import { print, printJson } from '../output/print.ts';

interface Flags {
  readonly engine?: string;
  readonly json?: boolean;
}

/** `mask-rcnn replay FILE`: a step that failed, run again to see why. */
export const replay: CommandDefinition = {
  name: 'replay',
  summary: 'run the batch of a failed training step again, and say what is not finite',
  examples: [
    ['mask-rcnn replay runs/train/failed-step-7-batch.safetensors', 'why a step failed'],
    ['mask-rcnn replay runs/train/failed-step-7-batch.safetensors --engine cpu', 'on another engine'],
  ],
  configure(command: Command, program: ProgramOptions): void {
    command
      .argument('<batch>', 'failed-step-<n>-batch.safetensors in its run folder')
      .option('--engine <name>', "engine to compute on; default the run's")
      .option('--json', 'print JSON')
      .action((file: string, flags: Flags) => act(file, flags, program));
  },
};

async function act(file: string, { engine, json }: Flags, { architectures }: ProgramOptions): Promise<void> {
  const { replay: again } = await import('@rcnn/train');
  const result = await again(file, { loaders, engine, architectures });
  if (json === true) {
    printJson(result);
    return;
  }
  const { step, batches } = result;
  print(`step ${step} on ${result.engine}`);
  for (const { imageIds, losses, firstNonFinite } of batches) {
    print(`images ${imageIds.join(', ')}`);
    for (const [name, value] of Object.entries(losses)) print(`  ${name.padEnd(18)} ${value}`);
    print(`  first that is not finite: ${firstNonFinite ?? 'none; here the step succeeds'}`);
  }
}

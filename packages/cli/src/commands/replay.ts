import type { Command } from 'commander';
import type { CommandDefinition } from '../command.ts';
import { loaders } from '../engines/loaders.ts';

/** `mask-rcnn replay FILE`: a step that failed, run again to see why. */
export const replay: CommandDefinition = {
  name: 'replay',
  summary: 'run the batch of a failed training step again, and say what is not finite',
  configure(command: Command): void {
    command
      .argument('<batch>', 'failed-step-<n>-batch.safetensors in its run folder')
      .option('--engine <name>', "engine to compute on; default the run's")
      .option('--json', 'print JSON')
      .action(act);
  },
};

async function act(file: string, { engine, json }: { engine?: string; json?: boolean }): Promise<void> {
  const { replay: again } = await import('@rcnn/train');
  const result = await again(file, { loaders, ...(engine !== undefined && { engine }) });
  if (json === true) {
    // JSON has no NaN, and it is what one looks for here.
    const text = (_: string, value: unknown) =>
      typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
    process.stdout.write(`${JSON.stringify(result, text, 2)}\n`);
    return;
  }
  const { step, batches } = result;
  process.stdout.write(`step ${step} on ${result.engine}\n`);
  for (const { imageIds, losses, firstNonFinite } of batches) {
    process.stdout.write(`images ${imageIds.join(', ')}\n`);
    for (const [name, value] of Object.entries(losses)) process.stdout.write(`  ${name.padEnd(18)} ${value}\n`);
    process.stdout.write(`  first that is not finite: ${firstNonFinite ?? 'none; here the step succeeds'}\n`);
  }
}

import { existsSync } from 'node:fs';
import { RcnnError } from '@rcnn/core/errors';
import type { Command } from 'commander';
import type { CommandDefinition } from '../command.ts';
import { note } from '../output/print.ts';

/** `mask-rcnn convert IN OUT`: any checkpoint to a safetensors file with torchvision's current names. */
export const convert: CommandDefinition = {
  name: 'convert',
  summary: 'turn a .pth or .safetensors file into a safetensors checkpoint',
  configure(command: Command): void {
    command
      .argument('<in>', 'a .pth or .safetensors file')
      .argument('<out>', 'the .safetensors file to write')
      .option('--force', 'replace OUT if it exists')
      .addHelpText(
        'after',
        "\nTakes the model out of a training checkpoint, gives tensors the names that torchvision\nuses today and drops batch norm's counters. Layouts stay PyTorch's, which our files have\ntoo: the result loads here and, with safetensors.torch.load_file, in torchvision.",
      )
      .action(run);
  },
};

async function run(input: string, output: string, { force = false }: { force?: boolean }): Promise<void> {
  const { loadPretrained, normaliseTensors, saveCheckpoint } = await import('@rcnn/checkpoint/node');
  checkOutput(output, force);
  const checkpoint = await loadPretrained(input, {
    offline: true, // a file that is here; `predict` fetches weights by name
    onEvent: (event) => {
      if (event.kind === 'warning') note(`${event.path}: ${event.message}`);
    },
  });
  try {
    const { tensors, renamed, dropped } = normaliseTensors(checkpoint.weights);
    await saveCheckpoint(output, { weights: tensors, profile: checkpoint.profile });
    const changes = `${renamed.length} renamed, ${dropped.length} dropped`;
    note(`${output}: ${tensors.length} tensors from ${checkpoint.path} (${changes})`);
  } finally {
    await checkpoint.close();
  }
}

function checkOutput(output: string, force: boolean): void {
  if (!output.endsWith('.safetensors')) {
    throw new RcnnError('INVALID_ARGUMENT', {
      where: 'convert',
      place: output,
      problem: 'only safetensors files are written',
      expected: 'a name that ends with .safetensors',
      hint: 'In Python, safetensors.torch.load_file reads them into a state dict.',
    });
  }
  if (existsSync(output) && !force) {
    throw new RcnnError('FILE_EXISTS', {
      where: 'convert',
      place: output,
      problem: 'the file exists',
      hint: 'Choose another name, or say --force.',
    });
  }
}
